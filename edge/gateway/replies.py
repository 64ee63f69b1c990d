"""Answers that Envoy makes itself, in the one error shape.

Envoy takes the first entry that matches. A native gRPC or gRPC-Web caller gets
a status without a body; what the transcoder refuses is left to envelope.lua,
which reads the field out of its message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge.gateway.headers import ANSWERED_REQUEST_ID, REQUEST_ID, security_headers
from edge.gateway.typed import Json, default_header, extension, set_header

REALM = 'Bearer realm="portico"'
INVALID_TOKEN = f'{REALM}, error="invalid_token"'
RETRY_AFTER = "1"

# After transcoding a REST call looks like gRPC; its first path is then kept in this header.
_NATIVE = (
    '"content-type" in request.headers'
    ' && request.headers["content-type"].startsWith("application/grpc")'
    ' && !("x-envoy-original-path" in request.headers)'
)
_NO_CREDENTIAL = 'response.code_details.startsWith("rbac_access_denied")'
_WRONG_AUDIENCE = 'response.code_details.contains("Audience")'
_EXPIRED = 'response.code_details.contains("Jwt_is_expired")'
_AUTHORIZER = (
    'response.code_details.startsWith("ext_authz_denied") && "x-error-code" in response.headers'
)
_TRANSCODER = 'response.code_details.contains("grpc_json_transcode_failure") && response.code < 413'


@dataclass(frozen=True, slots=True)
class Reply:
    """One kind of refusal.

    Attributes:
        when: a CEL expression, or the status that Envoy chose.
        code: error.code.
        message: error.message.
        status: the status to send instead of Envoy's.
        challenge: the WWW-Authenticate header of a 401.
    """

    when: str | int
    code: str
    message: str
    status: int | None = None
    challenge: str | None = None
    retry_after: str | None = None


_CREDENTIAL = "A valid credential is needed."
_UNAVAILABLE = "A part of the platform does not answer; try again soon."

REPLIES = (
    # edge/authorize says itself what was wrong with a key.
    Reply(_AUTHORIZER, "%RESP(X-ERROR-CODE)%", "%LOCAL_REPLY_BODY%"),
    Reply(_NO_CREDENTIAL, "UNAUTHENTICATED", _CREDENTIAL, 401, REALM),
    Reply(_EXPIRED, "TOKEN_EXPIRED", "The access token has expired.", 401, INVALID_TOKEN),
    # A token for somebody else says nothing about rights here: 401, not Envoy's 403.
    Reply(_WRONG_AUDIENCE, "UNAUTHENTICATED", _CREDENTIAL, 401, INVALID_TOKEN),
    Reply(401, "UNAUTHENTICATED", _CREDENTIAL, challenge=INVALID_TOKEN),
    Reply(403, "PERMISSION_DENIED", "The credential does not allow this."),
    Reply(404, "NOT_FOUND", "There is no such resource."),
    Reply(408, "TIMEOUT", "The request took too long to arrive."),
    Reply(413, "PAYLOAD_TOO_LARGE", "The request body is too large."),
    Reply(429, "RATE_LIMIT_EXCEEDED", "Too many requests.", retry_after=RETRY_AFTER),
    Reply(431, "HEADERS_TOO_LARGE", "The request headers are too large."),
    Reply(502, "UNAVAILABLE", _UNAVAILABLE, 503, retry_after=RETRY_AFTER),
    Reply(503, "UNAVAILABLE", _UNAVAILABLE, retry_after=RETRY_AFTER),
    Reply(504, "TIMEOUT", "The answer took too long."),
)
_OTHER_FAILURE = Reply(500, "INTERNAL", "Something went wrong on our side.")
_OTHER_REFUSAL = Reply(400, "MALFORMED_REQUEST", "The request is malformed.")


def local_reply_config() -> Json:
    """The whole of Envoy's own answers."""
    return {
        "mappers": [
            _native_unauthenticated(),
            {"filter": _cel(_NATIVE)},
            _transcoder_failure(),
            *(_mapper(reply, _matches(reply.when)) for reply in REPLIES),
            _mapper(_OTHER_FAILURE, _status("GE", 500)),
            _mapper(_OTHER_REFUSAL, _status("GE", 400)),
        ]
    }


def _native_unauthenticated() -> Json:
    """UNAUTHENTICATED, where Envoy would say PERMISSION_DENIED."""
    why = _cel(f"{_NO_CREDENTIAL} || {_WRONG_AUDIENCE}")
    return {
        "filter": {"and_filter": {"filters": [_cel(_NATIVE), why]}},
        "status_code": 401,
        "body": {"inline_string": _CREDENTIAL},
    }


def _transcoder_failure() -> Json:
    """Hands envelope.lua what it needs: that it was the transcoder, and for which path."""
    return {
        "filter": _cel(_TRANSCODER),
        "headers_to_add": [
            set_header("x-edge-fault", "%REQ(:METHOD)%"),
            set_header("x-edge-path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
        ],
    }


def _mapper(reply: Reply, condition: Json) -> Json:
    """One entry: the reply in the error shape, whatever it matches."""
    mapper: Json = {
        "filter": condition,
        "headers_to_add": [*_reply_headers(reply), *security_headers()],
        "body_format_override": {
            "json_format": error_body(reply.code, reply.message),
            "json_format_options": {"sort_properties": False},
            "content_type": "application/json",
        },
    }
    if reply.status is not None:
        mapper["status_code"] = reply.status
    return mapper


def _reply_headers(reply: Reply) -> list[Json]:
    headers = [set_header("x-request-id", REQUEST_ID)]
    if reply.challenge is not None:
        headers.append(set_header("www-authenticate", reply.challenge))
    if reply.retry_after is not None:
        headers.append(default_header("retry-after", reply.retry_after))
    return headers


def error_body(code: str, message: str) -> dict[str, Any]:
    """The error shape of the public API, for Envoy to fill in the request id."""
    return {
        "success": False,
        "error": {
            "code": code,
            "message": message,
            "details": [],
            "requestId": ANSWERED_REQUEST_ID,
        },
    }


def _matches(when: str | int) -> Json:
    return _cel(when) if isinstance(when, str) else _status("EQ", when)


def _cel(expression: str) -> Json:
    filter_ = "extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    return {"extension_filter": extension("cel", filter_, expression=expression)}


def _status(operator: str, status: int) -> Json:
    value = {"default_value": status, "runtime_key": "local_reply_status"}
    return {"status_code_filter": {"comparison": {"op": operator, "value": value}}}
