"""What can be refused about applications."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class ApplicationNotFoundError(DomainError):
    """There is no such application."""

    code = StatusCode.NOT_FOUND
    reason = "APPLICATION_NOT_FOUND"


class ApplicationSecretNotFoundError(DomainError):
    """The application has no such secret."""

    code = StatusCode.NOT_FOUND
    reason = "APPLICATION_SECRET_NOT_FOUND"


class ApplicationHasNoSecretError(DomainError):
    """The application does not authenticate with a secret."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "APPLICATION_HAS_NO_SECRET"


class ApplicationLimitReachedError(DomainError):
    """The organization has as many applications as it may have."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "APPLICATION_LIMIT_REACHED"


class ApplicationPeopleKnownError(DomainError):
    """People have let the application in; by other names it would not recognize them."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "APPLICATION_PEOPLE_KNOWN"


class InvalidClientError(DomainError):
    """The client is unknown, disabled or did not authenticate as it is registered."""

    code = StatusCode.UNAUTHENTICATED
    reason = "OAUTH_INVALID_CLIENT"


class TooManyClientFailuresError(DomainError):
    """The client has failed to authenticate too often; try again later."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "OAUTH_TOO_MANY_FAILURES"
