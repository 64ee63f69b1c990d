"""What the OAuth server refuses; see RFC 6749, section 5.2 for the names behind "OAUTH_"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode

# What has no reason of its own is no refusal: it only helps to make some.
if TYPE_CHECKING:
    _Mixin = DomainError
else:
    _Mixin = object


class OAuthRefusal(_Mixin):
    """What the refusals of OAuth requests have in common."""

    code: ClassVar[StatusCode] = StatusCode.INVALID_ARGUMENT

    def __init__(self, description: str) -> None:
        """Takes what is wrong, for the developer of the application (`error_description`)."""
        super().__init__(error_description=description)
        self.description = description


class InvalidOAuthRequestError(OAuthRefusal, DomainError):
    """The OAuth request lacks a parameter, or has one that is not valid."""

    reason = "OAUTH_INVALID_REQUEST"


class InvalidGrantError(OAuthRefusal, DomainError):
    """The code or the refresh token is not valid, has expired, or is another application's."""

    reason = "OAUTH_INVALID_GRANT"

    def __init__(self, description: str, *, keeps_changes: bool = False) -> None:
        """Takes what is wrong, and whether what it ended has ended all the same."""
        super().__init__(description)
        self.keeps_changes = keeps_changes


class UnauthorizedClientError(OAuthRefusal, DomainError):
    """The application may not use this grant type."""

    reason = "OAUTH_UNAUTHORIZED_CLIENT"


class UnsupportedGrantTypeError(OAuthRefusal, DomainError):
    """The grant type is not supported."""

    reason = "OAUTH_UNSUPPORTED_GRANT_TYPE"


class UnsupportedResponseTypeError(OAuthRefusal, DomainError):
    """The response type is not supported."""

    reason = "OAUTH_UNSUPPORTED_RESPONSE_TYPE"


class InvalidRequestObjectError(OAuthRefusal, DomainError):
    """The request object is not valid, or not signed by the application."""

    reason = "OAUTH_INVALID_REQUEST_OBJECT"


class InvalidScopeError(OAuthRefusal, DomainError):
    """The scope is unknown, or more than the application may be given."""

    reason = "OAUTH_INVALID_SCOPE"


class InvalidTargetError(OAuthRefusal, DomainError):
    """The resource is not known here."""

    reason = "OAUTH_INVALID_TARGET"


class InvalidDpopProofError(OAuthRefusal, DomainError):
    """The proof of possession is missing, not valid, or was used before (RFC 9449)."""

    reason = "OAUTH_INVALID_DPOP_PROOF"


class UseDpopNonceError(OAuthRefusal, DomainError):
    """The proof of possession needs a nonce of the server (RFC 9449, section 8)."""

    reason = "OAUTH_USE_DPOP_NONCE"


class AuthorizationPendingError(OAuthRefusal, DomainError):
    """The person has not decided yet; poll again (RFC 8628)."""

    reason = "OAUTH_AUTHORIZATION_PENDING"


class SlowDownError(OAuthRefusal, DomainError):
    """The device polls too often: it waits five seconds longer from now on (RFC 8628)."""

    reason = "OAUTH_SLOW_DOWN"


class AccessDeniedError(OAuthRefusal, DomainError):
    """The person has refused what the device asked for (RFC 8628)."""

    reason = "OAUTH_ACCESS_DENIED"


class ExpiredTokenError(OAuthRefusal, DomainError):
    """The device code has expired; begin again (RFC 8628)."""

    reason = "OAUTH_EXPIRED_TOKEN"


class InvalidTokenError(DomainError):
    """The access token is not valid here, has expired or was revoked."""

    code = StatusCode.UNAUTHENTICATED
    reason = "OAUTH_INVALID_TOKEN"


class InsufficientScopeError(OAuthRefusal, DomainError):
    """The access token lacks a scope."""

    code = StatusCode.PERMISSION_DENIED
    reason = "OAUTH_INSUFFICIENT_SCOPE"


class AuthorizationExpiredError(DomainError):
    """The authorization request is not valid, or its time is over; begin again."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "AUTHORIZATION_EXPIRED"


class AuthorizationNotReadyError(DomainError):
    """The authorization request needs something else of the person first."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "AUTHORIZATION_NOT_READY"


class DeviceCodeInvalidError(DomainError):
    """No device waits for an answer to this code: it is mistyped, was used, or its time is over."""

    code = StatusCode.NOT_FOUND
    reason = "DEVICE_CODE_INVALID"
    keeps_changes = True  # the audit log, if it was the last attempt


class GrantNotFoundError(DomainError):
    """There is no such grant."""

    code = StatusCode.NOT_FOUND
    reason = "GRANT_NOT_FOUND"


_OF_REQUESTS: Mapping[str, Callable[[str], DomainError]] = {
    "unauthorized_client": UnauthorizedClientError,
    "unsupported_response_type": UnsupportedResponseTypeError,
    "invalid_request_object": InvalidRequestObjectError,
    "invalid_scope": InvalidScopeError,
    "invalid_target": InvalidTargetError,
}


def named(error: str, description: str) -> DomainError:
    """What refuses an authorization request by a name of the standards.

    Args:
        error: the name; one that only browsers bring back is "invalid_request" here.
        description: what is wrong, for the developer of the application.
    """
    return _OF_REQUESTS.get(error, InvalidOAuthRequestError)(description)
