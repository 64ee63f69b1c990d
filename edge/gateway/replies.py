"""Answers that Envoy makes itself, in the one error shape.

Envoy takes the first entry that matches. REST callers get the shape; native
gRPC and gRPC-Web callers HTTP 200 with a status, a message and no body, which
is the form that their protocols call Trailers-Only. What the transcoder refuses
is left to envelope.lua, which reads the field out of its message.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from grpc import StatusCode

from edge.gateway.credentials import NEEDED_SCOPE, challenge
from edge.gateway.error_pages import page_headers, page_reply, wants_oauth, wants_page
from edge.gateway.headers import (
    ANSWERED_REQUEST_ID,
    LONG_TARGET_BYTES,
    REQUEST_ID,
    security_headers,
)
from edge.gateway.settings import GatewaySettings
from edge.gateway.typed import Json, default_header, extension, set_header
from portico_kit.errors import TokenBoundError

INVALID_CREDENTIAL = 'error="invalid_token"'
_INSUFFICIENT_SCOPE = f'error="insufficient_scope", scope="{NEEDED_SCOPE}"'
RETRY_AFTER = "1"

# After transcoding a REST call looks like gRPC; its first path is then kept in this header.
_NATIVE = (
    '"content-type" in request.headers'
    ' && request.headers["content-type"].startsWith("application/grpc")'
    ' && !("x-envoy-original-path" in request.headers)'
)


def _denied_by(policy: str) -> str:
    return f'response.code_details == "rbac_access_denied_matched_policy[{policy}]"'


_NO_CREDENTIAL = _denied_by("anonymous")
_HEADERS_TOO_LARGE = 'response.code_details == "rbac_access_denied_matched_policy[headers]"'
_TARGET_TOO_LONG = f"{_HEADERS_TOO_LARGE} && size(request.path) > {LONG_TARGET_BYTES}"
_SEVERAL_HOSTS = 'response.code_details == "rbac_access_denied_matched_policy[host]"'
_OTHER_SCHEME = 'response.code_details == "http1.https_url_on_plaintext_connection"'
_OUT_OF_TIME = 'response.code_details == "max_duration_timeout"'
_WRONG_AUDIENCE = 'response.code_details.contains("Audience")'
_EXPIRED = 'response.code_details.contains("Jwt_is_expired")'
_UPGRADE = 'response.code_details == "upgrade_failed"'
_AUTHORIZER = '"x-error-code" in response.headers'
_TRANSCODER = 'response.code_details.contains("grpc_json_transcode_failure") && response.code < 413'


# The reasons that body.lua gives and no other part, with their HTTP statuses.
BODY_REASONS = (("BODY_REQUIRED", 422), ("UNSUPPORTED_MEDIA_TYPE", 415))


@dataclass(frozen=True, slots=True)
class Reply:
    """One kind of refusal.

    Attributes:
        status: the HTTP status that Envoy chose.
        code: error.code.
        message: error.message, and the message of the gRPC status.
        grpc: the gRPC status.
        because: a CEL expression that must hold, too.
        instead: the HTTP status to send in place of Envoy's.
        challenge: what WWW-Authenticate says beside the scheme, "" for nothing; None for no
            such header.
        scheme: the authentication scheme of that header.
        retry_after: the Retry-After header where there is none yet, in seconds.
    """

    status: int
    code: str
    message: str
    grpc: StatusCode
    because: str | None = None
    instead: int | None = None
    challenge: str | None = None
    scheme: str = "Bearer"
    retry_after: str | None = None


_CREDENTIAL = "A valid credential is required."
_UNAVAILABLE = "A part of the platform is unavailable; try again later."
_TOO_LARGE = StatusCode.RESOURCE_EXHAUSTED
_NO_CALLER = StatusCode.UNAUTHENTICATED
_HEADERS = "The request headers are too large."
_LATE = "The response took too long."

# What edge/authorize answers with, and what that is over gRPC.
_AUTHORIZER_STATUSES = {
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    503: StatusCode.UNAVAILABLE,
}

REPLIES = (
    Reply(
        403,
        "MALFORMED_REQUEST",
        "The protocol of the upgrade is not supported.",
        StatusCode.INVALID_ARGUMENT,
        because=_UPGRADE,
        instead=400,
    ),
    Reply(
        403,
        "UNAUTHENTICATED",
        _CREDENTIAL,
        _NO_CALLER,
        because=_NO_CREDENTIAL,
        instead=401,
        challenge="",
    ),
    # The same, and a client learns at once which scope to ask for.
    Reply(
        403,
        "UNAUTHENTICATED",
        _CREDENTIAL,
        _NO_CALLER,
        because=_denied_by("anonymous_scope"),
        instead=401,
        challenge=f'scope="{NEEDED_SCOPE}"',
    ),
    Reply(
        403,
        TokenBoundError.reason,
        "The access token is bound to a key: send it with the scheme DPoP, and a proof.",
        _NO_CALLER,
        because=_denied_by("bound_token"),
        instead=401,
        challenge=INVALID_CREDENTIAL,
        scheme="DPoP",
    ),
    # Signed by us, and no access token for the API: an ID token, or one for another resource.
    Reply(
        403,
        "UNAUTHENTICATED",
        _CREDENTIAL,
        _NO_CALLER,
        because=_denied_by("foreign_token"),
        instead=401,
        challenge=INVALID_CREDENTIAL,
    ),
    Reply(
        403,
        "INSUFFICIENT_SCOPE",
        f"The access token lacks the scope {NEEDED_SCOPE}.",
        StatusCode.PERMISSION_DENIED,
        because=_denied_by("scope_required"),
        challenge=_INSUFFICIENT_SCOPE,
    ),
    Reply(
        403,
        "SESSION_REQUIRED",
        "The request takes a person who is signed in; an application cannot make it.",
        StatusCode.PERMISSION_DENIED,
        because=_denied_by("session_required"),
    ),
    # RFC 6750, section 3.1: more than one way to present a token.
    Reply(
        403,
        "MALFORMED_REQUEST",
        "The request must have one credential.",
        StatusCode.INVALID_ARGUMENT,
        because=_denied_by("two_credentials"),
        instead=400,
        challenge='error="invalid_request"',
    ),
    Reply(
        403,
        "MALFORMED_REQUEST",
        "The request must have exactly one host.",
        StatusCode.INVALID_ARGUMENT,
        because=_SEVERAL_HOSTS,
        instead=400,
    ),
    Reply(
        403,
        "MISDIRECTED_REQUEST",
        "The connection has no TLS; send the path only.",
        StatusCode.INVALID_ARGUMENT,
        because=_OTHER_SCHEME,
        instead=421,
    ),
    Reply(
        403,
        "URI_TOO_LONG",
        "The path with its query is too long.",
        _TOO_LARGE,
        because=_TARGET_TOO_LONG,
        instead=414,
    ),
    Reply(403, "HEADERS_TOO_LARGE", _HEADERS, _TOO_LARGE, because=_HEADERS_TOO_LARGE, instead=431),
    # A token for somebody else says nothing about rights here: 401, not Envoy's 403.
    Reply(
        403,
        "UNAUTHENTICATED",
        _CREDENTIAL,
        _NO_CALLER,
        because=_WRONG_AUDIENCE,
        instead=401,
        challenge=INVALID_CREDENTIAL,
    ),
    Reply(
        401,
        "TOKEN_EXPIRED",
        "The access token has expired.",
        _NO_CALLER,
        because=_EXPIRED,
        challenge=INVALID_CREDENTIAL,
    ),
    Reply(401, "UNAUTHENTICATED", _CREDENTIAL, _NO_CALLER, challenge=INVALID_CREDENTIAL),
    Reply(
        403,
        "PERMISSION_DENIED",
        "The credential does not allow this request.",
        StatusCode.PERMISSION_DENIED,
    ),
    Reply(404, "NOT_FOUND", "There is no such resource.", StatusCode.UNIMPLEMENTED),
    Reply(405, "METHOD_NOT_ALLOWED", "The method is not allowed here.", StatusCode.UNIMPLEMENTED),
    # Envoy says 408 of every request whose time is up, though the answer is what is late.
    Reply(408, "TIMEOUT", _LATE, StatusCode.DEADLINE_EXCEEDED, because=_OUT_OF_TIME, instead=504),
    Reply(408, "TIMEOUT", "The request took too long.", StatusCode.DEADLINE_EXCEEDED),
    Reply(413, "PAYLOAD_TOO_LARGE", "The request body is too large.", _TOO_LARGE),
    Reply(
        415,
        "UNSUPPORTED_MEDIA_TYPE",
        "The content type is not supported.",
        StatusCode.INVALID_ARGUMENT,
    ),
    Reply(
        429,
        "RATE_LIMIT_EXCEEDED",
        "Too many requests.",
        StatusCode.RESOURCE_EXHAUSTED,
        retry_after=RETRY_AFTER,
    ),
    Reply(431, "HEADERS_TOO_LARGE", _HEADERS, _TOO_LARGE),
    Reply(
        501, "NOT_IMPLEMENTED", "The transfer coding is not supported.", StatusCode.UNIMPLEMENTED
    ),
    Reply(
        502,
        "UNAVAILABLE",
        _UNAVAILABLE,
        StatusCode.UNAVAILABLE,
        instead=503,
        retry_after=RETRY_AFTER,
    ),
    Reply(503, "UNAVAILABLE", _UNAVAILABLE, StatusCode.UNAVAILABLE, retry_after=RETRY_AFTER),
    Reply(504, "TIMEOUT", _LATE, StatusCode.DEADLINE_EXCEEDED),
)
_OTHER_FAILURE = Reply(500, "INTERNAL", "An internal error occurred.", StatusCode.INTERNAL)
_OTHER_REFUSAL = Reply(
    400, "MALFORMED_REQUEST", "The request is malformed.", StatusCode.INVALID_ARGUMENT
)


def local_reply_config(settings: GatewaySettings) -> Json:
    """The whole of Envoy's own answers."""
    bearer = challenge(settings)
    mappers = [_body_refusal(), *_authorizer_refusals(bearer), _transcoder_failure()]
    for reply in REPLIES:
        mappers += _mappers(reply, "EQ", bearer)
    mappers += _mappers(_OTHER_FAILURE, "GE", bearer)
    mappers += _mappers(_OTHER_REFUSAL, "GE", bearer)
    return {"mappers": mappers}


def _authorizer_refusals(bearer: str) -> list[Json]:
    """What edge/authorize says is wrong with a key, in its own words."""
    told = _cel(_AUTHORIZER)
    body = _error_shape("%RESP(X-ERROR-CODE)%", "%LOCAL_REPLY_BODY%")
    common = _common_headers()
    # It says more where it knows more: of a token that is bound to a key.
    invalid = default_header("www-authenticate", f"{bearer}, {INVALID_CREDENTIAL}")
    return [
        *(
            _grpc_reply([_status("EQ", status), told], code, "%RESP(X-ERROR-MESSAGE)%")
            for status, code in _AUTHORIZER_STATUSES.items()
        ),
        {
            "filter": _all(told, _status("EQ", 401)),
            "headers_to_add": [invalid, *common],
            "body_format_override": body,
        },
        {"filter": told, "headers_to_add": common, "body_format_override": body},
    ]


def _body_refusal() -> Json:
    """What body.lua refuses: the body has the shape already, with its details."""
    filter_ = _cel('"x-edge-refusal" in response.headers')
    return {"filter": filter_, "headers_to_add": _common_headers()}


def _transcoder_failure() -> Json:
    """Hands envelope.lua what it needs: that it was the transcoder, and for which path."""
    return {
        "filter": _cel(_TRANSCODER),
        "headers_to_add": [
            set_header("x-edge-fault", "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%"),
            set_header("x-edge-path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
            set_header("x-request-id", REQUEST_ID),
        ],
    }


def _mappers(reply: Reply, operator: str, bearer: str) -> list[Json]:
    """The reply for browsers, for native callers, for callers of OAuth, and for everybody else.
    The cheap condition comes first.

    Args:
        bearer: the challenge of the scheme Bearer.
    """
    conditions = [_status(operator, reply.status)]
    if reply.because is not None:
        conditions.append(_cel(reply.because))
    status = {} if reply.instead is None else {"status_code": reply.instead}
    own = _reply_headers(reply, bearer)
    headers = [*own, *_common_headers()]
    reason = set_header("x-error-code", reply.code)
    return [
        {
            "filter": _all(*conditions, _cel(wants_page())),
            "headers_to_add": [*own, _request_id(), *page_headers()],
            **page_reply(reply.instead or reply.status),
            **status,
        },
        _grpc_reply(conditions, reply.grpc, reply.message, reason, *headers),
        {
            "filter": _all(*conditions, _cel(wants_oauth())),
            "headers_to_add": headers,
            "body_format_override": _oauth_shape(reply),
            **status,
        },
        {
            "filter": _all(*conditions),
            "headers_to_add": headers,
            "body_format_override": _error_shape(reply.code, reply.message),
            **status,
        },
    ]


def _grpc_reply(conditions: list[Json], code: StatusCode, message: str, *headers: Json) -> Json:
    """An entry for gRPC callers: HTTP 200, and all that there is to say in headers.

    With a body gRPC-Web clients would look for a message in it. The reason, in
    x-error-code, becomes an ErrorInfo in envelope.lua.
    """
    return {
        "filter": _all(*conditions, _cel(_NATIVE)),
        "status_code": int(HTTPStatus.OK),
        "headers_to_add": [
            set_header("content-type", "%REQ(CONTENT-TYPE)%"),
            set_header("grpc-status", str(code.value[0])),
            set_header("grpc-message", message),
            *headers,
        ],
        "body_format_override": {"text_format_source": {"inline_string": ""}},
    }


def _reply_headers(reply: Reply, bearer: str) -> list[Json]:
    headers = []
    if reply.challenge is not None:
        scheme = bearer.replace("Bearer", reply.scheme, 1)
        told = ", ".join(filter(None, (scheme, reply.challenge)))
        headers.append(set_header("www-authenticate", told))
    if reply.retry_after is not None:
        headers.append(default_header("retry-after", reply.retry_after))
    return headers


def _common_headers() -> list[Json]:
    """What no filter adds where a request is refused before it has met one."""
    return [_request_id(), *security_headers()]


def _request_id() -> Json:
    return set_header("x-request-id", REQUEST_ID)


def _error_shape(code: str, message: str) -> Json:
    """The error shape of the public API, for Envoy to fill in the request id."""
    error: dict[str, Any] = {
        "code": code,
        "message": message,
        "details": [],
        "requestId": ANSWERED_REQUEST_ID,
    }
    return {
        "json_format": {"success": False, "error": error},
        "json_format_options": {"sort_properties": False},
        "content_type": "application/json",
    }


def _oauth_shape(reply: Reply) -> Json:
    """The error shape of RFC 6749, section 5.2."""
    status = reply.instead or reply.status
    waiting = status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    later = waiting or status == HTTPStatus.GATEWAY_TIMEOUT
    otherwise = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request"
    error = "temporarily_unavailable" if later else otherwise
    return {
        "json_format": {"error": error, "error_description": reply.message},
        "json_format_options": {"sort_properties": False},
        "content_type": "application/json",
    }


def _all(*conditions: Json) -> Json:
    if len(conditions) == 1:
        return conditions[0]
    return {"and_filter": {"filters": list(conditions)}}


def _cel(expression: str) -> Json:
    filter_ = "extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    return {"extension_filter": extension("cel", filter_, expression=expression)}


def _status(operator: str, status: int) -> Json:
    value = {"default_value": status, "runtime_key": "local_reply_status"}
    return {"status_code_filter": {"comparison": {"op": operator, "value": value}}}
