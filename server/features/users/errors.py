"""What can be refused about accounts."""

from __future__ import annotations

from grpc import StatusCode

from portico_kit.errors import DomainError


class UserNotFoundError(DomainError):
    """There is no such account."""

    code = StatusCode.NOT_FOUND
    reason = "USER_NOT_FOUND"


class EmailTakenError(DomainError):
    """The address has an account already."""

    code = StatusCode.ALREADY_EXISTS
    reason = "EMAIL_TAKEN"


class CurrentPasswordWrongError(DomainError):
    """The current password is not the one that was given."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "CURRENT_PASSWORD_WRONG"


class LastAdministratorError(DomainError):
    """The platform needs an administrator, and this is the last one who can act."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "LAST_ADMINISTRATOR"


class UserIsLastOwnerError(DomainError):
    """The person is the last owner of an organization, which would be left with none."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "USER_IS_LAST_OWNER"
