"""What can be refused about changes of an email address."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class EmailUnchangedError(DomainError):
    """The account already has this email address."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "EMAIL_UNCHANGED"
