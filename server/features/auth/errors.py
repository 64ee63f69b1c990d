"""What can be refused about signing in and staying signed in."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class InvalidCredentialsError(DomainError):
    """The email address or the password is wrong."""

    code = StatusCode.UNAUTHENTICATED
    reason = "INVALID_CREDENTIALS"
    keeps_changes = True  # the audit log


class AccountSuspendedError(DomainError):
    """The account is suspended."""

    code = StatusCode.PERMISSION_DENIED
    reason = "ACCOUNT_SUSPENDED"
    keeps_changes = True  # the audit log


class EmailNotVerifiedError(DomainError):
    """The email address is not verified; a mail with a link to verify it was sent."""

    code = StatusCode.PERMISSION_DENIED
    reason = "EMAIL_NOT_VERIFIED"
    keeps_changes = True  # the audit log and the mail with a new link


class RefreshTokenInvalidError(DomainError):
    """The refresh token is unknown, has expired, or its session has ended; sign in again."""

    code = StatusCode.UNAUTHENTICATED
    reason = "REFRESH_TOKEN_INVALID"


class RefreshTokenReusedError(DomainError):
    """The token was used after its successor: somebody else has a copy, and the session ended."""

    code = StatusCode.UNAUTHENTICATED
    reason = "REFRESH_TOKEN_REUSED"
    keeps_changes = True  # the end of the session


class BrowserTokenInvalidError(DomainError):
    """The browser token is unknown, or its session has ended; sign in again."""

    code = StatusCode.UNAUTHENTICATED
    reason = "BROWSER_TOKEN_INVALID"


class OneTimeTokenInvalidError(DomainError):
    """The token is unknown, was used, or has expired; request a new mail."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "TOKEN_INVALID"


class ChallengeExpiredError(DomainError):
    """The challenge is over: it has expired, was completed, or was answered wrongly too often."""

    code = StatusCode.UNAUTHENTICATED
    reason = "CHALLENGE_EXPIRED"


class MethodNotAvailableError(DomainError):
    """The challenge cannot be answered with this method."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "METHOD_NOT_AVAILABLE"


class RememberedDeviceNotFoundError(DomainError):
    """There is no such remembered device."""

    code = StatusCode.NOT_FOUND
    reason = "REMEMBERED_DEVICE_NOT_FOUND"


class SessionNotFoundError(DomainError):
    """There is no such session."""

    code = StatusCode.NOT_FOUND
    reason = "SESSION_NOT_FOUND"


class ActiveOrganizationNotFoundError(DomainError):
    """There is no such organization."""

    code = StatusCode.NOT_FOUND
    reason = "ORGANIZATION_NOT_FOUND"


class NothingToShowError(DomainError):
    """Nothing that the person has would do; enroll a factor first, or sign in again."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "NOTHING_TO_SHOW"
