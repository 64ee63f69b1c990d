"""What can be refused about connections, and about signing in with one."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class ConnectionNotFoundError(DomainError):
    """There is no such connection."""

    code = StatusCode.NOT_FOUND
    reason = "CONNECTION_NOT_FOUND"


class ConnectionLimitReachedError(DomainError):
    """There are as many connections as there can be."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "CONNECTION_LIMIT_REACHED"


class RequestObjectNotFoundError(DomainError):
    """There is no such authorization request, or it has expired."""

    code = StatusCode.NOT_FOUND
    reason = "REQUEST_OBJECT_NOT_FOUND"


class ProviderUnreachableError(DomainError):
    """The provider does not answer, or not as agreed; try again later."""

    code = StatusCode.UNAVAILABLE
    reason = "PROVIDER_UNREACHABLE"
    keeps_changes = True  # the audit log


class FederatedStateInvalidError(DomainError):
    """This sign-in was not begun in this browser, was completed before, or took too long."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "FEDERATED_STATE_INVALID"


class ProviderRefusedError(DomainError):
    """The provider, or the person there, refused the sign-in."""

    code = StatusCode.UNAUTHENTICATED
    reason = "PROVIDER_REFUSED"
    keeps_changes = True  # the audit log


class ProviderResponseInvalidError(DomainError):
    """The provider's answer is not valid; its metadata names the check that failed."""

    code = StatusCode.UNAUTHENTICATED
    reason = "PROVIDER_RESPONSE_INVALID"
    keeps_changes = True  # the audit log


class ProviderEmailMissingError(DomainError):
    """The provider reports no email address that an account can have."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "PROVIDER_EMAIL_MISSING"


class EmailDomainNotProvenError(DomainError):
    """The email address is at no domain that the connection's organization has proven."""

    code = StatusCode.PERMISSION_DENIED
    reason = "EMAIL_DOMAIN_NOT_PROVEN"
    keeps_changes = True  # the audit log


class ProviderEmailUnverifiedError(DomainError):
    """The provider does not say that the email address is verified."""

    code = StatusCode.PERMISSION_DENIED
    reason = "PROVIDER_EMAIL_UNVERIFIED"
    keeps_changes = True  # the audit log


class IdentityNotLinkedError(DomainError):
    """There is an account with this email address; sign in to it, and link the provider there."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "IDENTITY_NOT_LINKED"
    keeps_changes = True  # the audit log


class IdentityTakenError(DomainError):
    """This account at the provider is linked to somebody else."""

    code = StatusCode.ALREADY_EXISTS
    reason = "IDENTITY_TAKEN"


class IdentityMismatchError(DomainError):
    """Another account at the provider has signed in than the one that is linked."""

    code = StatusCode.UNAUTHENTICATED
    reason = "IDENTITY_MISMATCH"
    keeps_changes = True  # the audit log


class IdentityNotFoundError(DomainError):
    """There is no such identity."""

    code = StatusCode.NOT_FOUND
    reason = "IDENTITY_NOT_FOUND"


class LastWayInError(DomainError):
    """Without this identity the person could not sign in; set a password or a passkey first."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "LAST_WAY_IN"


class LogoutTokenInvalidError(DomainError):
    """The logout token is not valid; its metadata names the check that failed."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "LOGOUT_TOKEN_INVALID"
