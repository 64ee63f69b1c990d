"""What can be refused about factors."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class FactorNotFoundError(DomainError):
    """There is no such factor."""

    code = StatusCode.NOT_FOUND
    reason = "FACTOR_NOT_FOUND"


class FactorRequiredError(DomainError):
    """A second factor is required: the person has none, or this is the last that would do."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "FACTOR_REQUIRED"


class TooManyFactorsError(DomainError):
    """The person has as many factors of this type as there can be."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "TOO_MANY_FACTORS"


class EnrollmentExpiredError(DomainError):
    """The enrollment has expired or was not started; start it again."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "ENROLLMENT_EXPIRED"


class CodeInvalidError(DomainError):
    """The code is wrong, or it was used before."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "CODE_INVALID"
    # A wrong one is counted.
    keeps_changes = True
