"""Turns a decision into Envoy's reply."""

from __future__ import annotations

from collections.abc import Mapping

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.service.auth.v3.external_auth_pb2 import (
    CheckResponse,
    DeniedHttpResponse,
    OkHttpResponse,
)
from envoy.type.v3.http_status_pb2 import HttpStatus
from google.rpc import code_pb2
from google.rpc.status_pb2 import Status

from edge.authorize.decision import AddressNotAllowed, Admitted, Decision, MissingScope
from edge.authorize.verified_key import Refused, Unavailable, VerifiedKey

CHALLENGE = 'Bearer realm="portico"'
RETRY_AFTER_SECONDS = "1"
KEY_HEADER = "x-api-key"
LIMITS_HEADER = "x-auth-limits"


def render(decision: Decision) -> CheckResponse:
    """The reply to Envoy. The gateway builds the public error from `x-error-code` and message."""
    match decision:
        case Admitted(key):
            return _admitted(key)
        case MissingScope(permission):
            return _denied(
                403,
                code_pb2.PERMISSION_DENIED,
                "PERMISSION_DENIED",
                f"The API key lacks the scope {permission}.",
            )
        case AddressNotAllowed():
            return _denied(
                403,
                code_pb2.PERMISSION_DENIED,
                "ADDRESS_NOT_ALLOWED",
                "The API key may not be used from this address.",
            )
        case Refused():
            # One text, whatever was wrong: mistyped, unknown, expired or revoked.
            return _denied(
                401,
                code_pb2.UNAUTHENTICATED,
                "UNAUTHENTICATED",
                "The API key is not valid.",
                {"www-authenticate": CHALLENGE},
            )
        case Unavailable():
            return _denied(
                503,
                code_pb2.UNAVAILABLE,
                "UNAVAILABLE",
                "The API key cannot be checked at the moment; try again soon.",
                {"retry-after": RETRY_AFTER_SECONDS},
            )


def _admitted(key: VerifiedKey) -> CheckResponse:
    """The secret stays here: what goes on carries the token that stands for it."""
    headers = {
        "authorization": f"Bearer {key.access_token}",
        "x-auth-subject": key.key_id,
        "x-auth-tier": key.tier,
        "x-auth-organization": key.organization_id,
    }
    removed = [KEY_HEADER]
    if key.limits:
        headers[LIMITS_HEADER] = key.limits
    else:
        removed.append(LIMITS_HEADER)
    return CheckResponse(
        status=Status(code=code_pb2.OK),
        ok_response=OkHttpResponse(headers=_options(headers), headers_to_remove=removed),
    )


def _denied(
    status: int,
    code: int,
    reason: str,
    message: str,
    headers: Mapping[str, str] | None = None,
) -> CheckResponse:
    return CheckResponse(
        status=Status(code=code, message=message),
        denied_response=DeniedHttpResponse(
            status=HttpStatus(code=status),
            # The message twice: for REST callers it is in the body, for gRPC ones in a header.
            headers=_options(
                {"x-error-code": reason, "x-error-message": message, **(headers or {})}
            ),
            body=message,
        ),
    )


def _options(headers: Mapping[str, str]) -> list[HeaderValueOption]:
    """Headers that replace what a client may have sent under the same name."""
    return [
        HeaderValueOption(
            header=HeaderValue(key=name, value=value),
            append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
        )
        for name, value in headers.items()
    ]
