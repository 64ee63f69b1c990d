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


class ApplicationNotCreatedError(DomainError):
    """The application describes itself: it can only be enabled, disabled or deleted."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "APPLICATION_NOT_CREATED"


class InvalidRegistrationTokenError(DomainError):
    """The token is missing, or is not good for this registration."""

    code = StatusCode.UNAUTHENTICATED
    reason = "OAUTH_INVALID_REGISTRATION_TOKEN"


class InvalidRedirectUriError(DomainError):
    """A redirect URI of the registration is not allowed."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "OAUTH_INVALID_REDIRECT_URI"


class InvalidClientMetadataError(DomainError):
    """The registration has a value that is not allowed, or lacks one."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "OAUTH_INVALID_CLIENT_METADATA"


class TooManyRegistrationsError(DomainError):
    """The organization takes no more applications that register themselves."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "OAUTH_TOO_MANY_REGISTRATIONS"
