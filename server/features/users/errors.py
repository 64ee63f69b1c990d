"""What can be refused about accounts."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class UserNotFoundError(DomainError):
    """There is no such account."""

    code = StatusCode.NOT_FOUND
    reason = "USER_NOT_FOUND"


class EmailTakenError(DomainError):
    """The email address already has an account."""

    code = StatusCode.ALREADY_EXISTS
    reason = "EMAIL_TAKEN"


class CurrentPasswordWrongError(DomainError):
    """The current password is wrong."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "CURRENT_PASSWORD_WRONG"
    keeps_changes = True  # the audit log and the mail, if it was the last attempt


class LastAdministratorError(DomainError):
    """The person is the last active administrator of the platform."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "LAST_ADMINISTRATOR"


class UserIsLastOwnerError(DomainError):
    """The person is the last active owner of an organization."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "USER_IS_LAST_OWNER"
