"""What can be refused about passkeys."""

from __future__ import annotations

from uuid import UUID

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class PasskeyChallengeInvalidError(DomainError):
    """The challenge is unknown, has expired, or was used; begin again."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "PASSKEY_CHALLENGE_INVALID"


class PasskeyRegistrationInvalidError(DomainError):
    """The passkey cannot be registered: it breaks the rule that the metadata names."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "PASSKEY_REGISTRATION_INVALID"


class PasskeyAlreadyRegisteredError(DomainError):
    """The passkey is registered already."""

    code = StatusCode.ALREADY_EXISTS
    reason = "PASSKEY_ALREADY_REGISTERED"


class PasskeyInvalidError(DomainError):
    """The passkey's answer is not good: it breaks the rule that the metadata names."""

    code = StatusCode.UNAUTHENTICATED
    reason = "PASSKEY_INVALID"
    keeps_changes = True  # the audit log

    def __init__(self, rule: str, user_id: UUID) -> None:
        """Takes the name of the rule, and whose passkey it is, for the audit log alone."""
        super().__init__(rule=rule)
        self.rule = rule
        self.user_id = user_id


class PasskeyUnknownError(DomainError):
    """No account has the passkey."""

    code = StatusCode.UNAUTHENTICATED
    reason = "PASSKEY_UNKNOWN"
    keeps_changes = True  # the audit log
