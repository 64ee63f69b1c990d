"""What can be refused about domains."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class DomainNotFoundError(DomainError):
    """There is no such domain."""

    code = StatusCode.NOT_FOUND
    reason = "DOMAIN_NOT_FOUND"


class DomainExistsError(DomainError):
    """The organization has this domain already."""

    code = StatusCode.ALREADY_EXISTS
    reason = "DOMAIN_EXISTS"


class DomainTakenError(DomainError):
    """Another organization has verified this domain."""

    code = StatusCode.ALREADY_EXISTS
    reason = "DOMAIN_TAKEN"


class DomainNotProvenError(DomainError):
    """The DNS record that proves the domain is not there."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "DOMAIN_NOT_PROVEN"


class DomainLimitReachedError(DomainError):
    """The organization has as many domains as it can have."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "DOMAIN_LIMIT_REACHED"
