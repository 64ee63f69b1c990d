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

from edge.authorize.bound_tokens import (
    BoundDecision,
    BoundToken,
    ProofRefused,
    ScopeRequired,
    SessionRequired,
    TokenRefused,
)
from edge.authorize.decision import AddressNotAllowed, Admitted, Decision, MissingScope
from edge.authorize.verified_key import Refused, Unavailable, VerifiedKey
from portico_kit import dpop
from portico_kit.dpop import DpopError, DpopNonceError
from portico_kit.edge_state.possession import POSSESSION_HEADER
from portico_kit.oauth_metadata import resource_metadata_url

RETRY_AFTER_SECONDS = "1"
KEY_HEADER = "x-api-key"
LIMITS_HEADER = "x-auth-limits"
# Where request.lua puts a token of the scheme DPoP, and what comes with it.
DPOP_CREDENTIAL_HEADER = "x-edge-dpop"
DPOP_HEADER = "dpop"
NONCE_HEADER = "dpop-nonce"

# What the public error says where a proof is refused, by the code of RFC 9449.
PROOF_REASONS = {
    DpopError.error: "DPOP_PROOF_INVALID",
    DpopNonceError.error: "DPOP_NONCE_REQUIRED",
}


class Renderer:
    """Renders decisions. The gateway builds the public error from `x-error-code` and message."""

    def __init__(self, origin: str) -> None:
        """Takes the public URL without a path; challenges name the metadata there."""
        self._metadata = f'resource_metadata="{resource_metadata_url(origin)}"'

    def render(self, decision: Decision) -> CheckResponse:
        """The reply about an API key."""
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
                    {"www-authenticate": self._challenge("Bearer", error="invalid_token")},
                )
            case Unavailable():
                return _unavailable("API key")

    def render_bound(self, decision: BoundDecision, nonce: str) -> CheckResponse:
        """The reply about a token with a proof; the nonce is for the client's next proof."""
        match decision:
            case BoundToken():
                return _admitted_bound(decision, nonce)
            case Unavailable():
                return _unavailable("access token")
            case ScopeRequired(scope):
                headers = self._dpop(nonce, error="insufficient_scope", scope=scope)
                message = f"The access token lacks the scope {scope}."
                code = code_pb2.PERMISSION_DENIED
                return _denied(403, code, "INSUFFICIENT_SCOPE", message, headers)
            case SessionRequired():
                message = (
                    "The request takes a person who is signed in; an application cannot make it."
                )
                code = code_pb2.PERMISSION_DENIED
                return _denied(403, code, "SESSION_REQUIRED", message, {NONCE_HEADER: nonce})
            case TokenRefused(expired):
                reason = "TOKEN_EXPIRED" if expired else "UNAUTHENTICATED"
                message = (
                    "The access token has expired."
                    if expired
                    else "A valid credential is required."
                )
                headers = self._dpop(nonce, error="invalid_token")
                return _denied(401, code_pb2.UNAUTHENTICATED, reason, message, headers)
            case ProofRefused(error, description):
                reason = PROOF_REASONS[error]
                headers = self._dpop(nonce, error=error, error_description=description)
                return _denied(401, code_pb2.UNAUTHENTICATED, reason, description, headers)

    def _dpop(self, nonce: str, **parameters: str) -> Mapping[str, str]:
        algorithms = " ".join(dpop.ALGORITHMS)
        told = self._challenge(dpop.AUTHENTICATION_SCHEME, **parameters, algs=algorithms)
        return {"www-authenticate": told, NONCE_HEADER: nonce}

    def _challenge(self, scheme: str, **parameters: str) -> str:
        told = [f'{name}="{text}"' for name, text in parameters.items()]
        return f"{scheme} " + ", ".join(['realm="portico"', self._metadata, *told])


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


def _admitted_bound(bound: BoundToken, nonce: str) -> CheckResponse:
    """Goes on as a bearer token, under a seal by which the core knows of the proof."""
    claims = bound.claims
    headers = {
        "authorization": f"Bearer {bound.token}",
        POSSESSION_HEADER: bound.seal,
        "x-auth-subject": str(claims["sub"]),
        "x-auth-tier": str(claims["tier"]),
        "x-auth-application": str(claims["client_id"]),
    }
    if "org" in claims:
        headers["x-auth-organization"] = str(claims["org"])
    return CheckResponse(
        status=Status(code=code_pb2.OK),
        ok_response=OkHttpResponse(
            headers=_options(headers),
            headers_to_remove=[DPOP_CREDENTIAL_HEADER, DPOP_HEADER],
            response_headers_to_add=_options({NONCE_HEADER: nonce}),
        ),
    )


def _unavailable(what: str) -> CheckResponse:
    return _denied(
        503,
        code_pb2.UNAVAILABLE,
        "UNAVAILABLE",
        f"The {what} cannot be checked at the moment; try again soon.",
        {"retry-after": RETRY_AFTER_SECONDS},
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
