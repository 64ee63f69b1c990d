"""The answers of an operation: the envelope of success, and the one shape of errors."""

from __future__ import annotations

from http import HTTPStatus

from edge.gateway.openapi.schemas import Direction, Schemas
from edge.gateway.paths import variables
from edge.gateway.typed import Json
from edge.stream.paths import STREAM_EVENTS
from portico_contract import AccessRule, Method
from portico_contract.limit_categories import LimitCategory

_ERROR_TEXTS = {
    400: ("BadRequest", "The request is malformed."),
    401: ("Unauthorized", "A valid credential is required."),
    403: ("Forbidden", "The credential does not allow this request."),
    404: ("NotFound", "The resource does not exist, or the caller cannot see it."),
    409: ("Conflict", "The request conflicts with the state of the resource."),
    412: ("PreconditionFailed", "The resource does not match If-Match."),
    413: ("PayloadTooLarge", "The body is larger than 1 MiB."),
    415: (
        "UnsupportedMediaType",
        "The body is not application/json, or it is encoded.",
    ),
    422: ("UnprocessableContent", "The request is not valid. The details name the fields."),
    429: ("TooManyRequests", "A rate limit is exceeded. Retry-After says when to retry."),
    431: (
        "HeadersTooLarge",
        "The headers are larger than 16 KiB in total, or there are more than 100.",
    ),
    500: ("InternalError", "An internal error occurred."),
    503: ("Unavailable", "A part of the platform is unavailable. Retry after Retry-After."),
    504: ("Timeout", "The request timed out."),
}
# The verbs whose requests may carry If-Match.
CONDITIONAL = frozenset({"PUT", "PATCH", "DELETE"})
_ALWAYS = (400, 422, 431, 500, 503, 504)

_TEXT: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 0}
# No enum of one value: what generators make of that does not compile in all languages.
_SUCCESS: Json = {"type": "boolean", "description": "Whether the request succeeded."}
_MOMENT: Json = {"type": "string", "format": "date-time"}

REQUEST_ID_HEADER = "X-Request-ID"
_LIMIT_HEADERS = (
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit",
    "RateLimit-Policy",
)

HEADERS: dict[str, Json] = {
    REQUEST_ID_HEADER: {
        "description": "The ID of the request: the one that the client sent, or a new one.",
        "required": True,
        "schema": _TEXT,
    },
    "X-RateLimit-Limit": {
        "description": "Requests allowed in the window that is closest to its limit.",
        "schema": _COUNT,
    },
    "X-RateLimit-Remaining": {"description": "Requests left in that window.", "schema": _COUNT},
    "X-RateLimit-Reset": {
        "description": "When that window resets, as a Unix time in seconds.",
        "schema": _COUNT,
    },
    "RateLimit": {
        "description": "The state of each window (draft-ietf-httpapi-ratelimit-headers).",
        "schema": _TEXT,
    },
    "RateLimit-Policy": {
        "description": "The windows that apply (draft-ietf-httpapi-ratelimit-headers).",
        "schema": _TEXT,
    },
    "Location": {
        "description": "The path of the created resource.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ETag": {
        "description": "The entity tag of `data`, for If-None-Match and If-Match.",
        "schema": _TEXT,
    },
    "Idempotent-Replayed": {
        "description": "Present if this is the response to an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WWW-Authenticate": {
        "description": (
            "The scheme to use (RFC 6750, RFC 9449), with resource_metadata, the URL of the "
            "document that says who authorizes clients (RFC 9728), and the error if a token was "
            "sent; or what a step-up needs (RFC 9470)."
        ),
        "required": True,
        "schema": _TEXT,
    },
    "DPoP-Nonce": {
        "description": (
            "The nonce for the next proof, in answers to the scheme DPoP (RFC 9449, section 9)."
        ),
        "schema": _TEXT,
    },
    "Retry-After": {
        "description": "How long to wait before retrying, in seconds.",
        "required": True,
        "schema": _COUNT,
    },
}
_ERROR_HEADERS = {
    401: ("WWW-Authenticate", "DPoP-Nonce"),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_NOT_MODIFIED: Json = {
    "description": "The resource still matches If-None-Match.",
    "headers": {
        name: {"$ref": f"#/components/headers/{name}"} for name in (REQUEST_ID_HEADER, "ETag")
    },
}
# Not there where no scope would help.
_INSUFFICIENT_SCOPE: Json = {
    "description": (
        'With error="insufficient_scope" the scope that the access token of an application lacks '
        "(RFC 6750, section 3.1)."
    ),
    "schema": _TEXT,
}


def envelope_schemas() -> dict[str, Json]:
    """The parts of the envelope that all answers share."""
    return {
        "Meta": _object({"requestId": _TEXT, "rateLimit": _ref("RateLimit")}, ["requestId"]),
        "PageMeta": _object(
            {
                "requestId": _TEXT,
                "rateLimit": _ref("RateLimit"),
                "pagination": _ref("Pagination"),
            },
            ["requestId", "pagination"],
        ),
        "Pagination": _object(
            {"nextCursor": {"type": ["string", "null"]}, "hasMore": {"type": "boolean"}}
        ),
        "RateLimit": _object({"limit": _COUNT, "remaining": _COUNT, "resetAt": _MOMENT}),
        "ErrorDetail": _object({"field": _TEXT, "code": _TEXT, "message": _TEXT}),
        "ErrorEnvelope": _object({"success": _SUCCESS, "error": _ref("ErrorBody")}),
        "ErrorBody": _object(
            {
                "code": {
                    "type": "string",
                    "description": "The reason of the error, for example NOT_FOUND.",
                },
                "message": _TEXT,
                "details": {"type": "array", "items": _ref("ErrorDetail")},
                "requestId": _TEXT,
            }
        ),
    }


_EVENT_STREAM: Json = {
    "schema": {
        "type": "string",
        "description": (
            "Events as text (WHATWG HTML, section 9.2): `id` is the position, `event` the type "
            "of the event, or `reset` or `error`, `data` a JSON object. Comments are heartbeats."
        ),
    },
    "example": (
        "id: 42\nevent: project.created\n"
        'data: {"type":"project.created","timestamp":"2026-11-26T19:45:28.739766Z",'
        '"id":"01890a5d-ac96-774b-bcce-b302099a8057",'
        '"organizationId":"01890a5d-ac96-774b-bcce-b302099a8058","data":{"name":"Apollo"}}\n\n'
    ),
}


def shared_responses() -> dict[str, Json]:
    """Every answer that operations share, by name."""
    errors = {name: _error(status, text) for status, (name, text) in _ERROR_TEXTS.items()}
    return {"NotModified": _NOT_MODIFIED, **errors}


def _error(status: int, text: str) -> Json:
    names = (REQUEST_ID_HEADER, *_ERROR_HEADERS.get(status, ()))
    headers = _header_references(names)
    if status == HTTPStatus.FORBIDDEN:
        headers["WWW-Authenticate"] = _INSUFFICIENT_SCOPE
    return {
        "description": text,
        "headers": headers,
        "content": {"application/json": {"schema": _ref("ErrorEnvelope")}},
    }


def responses(method: Method, schemas: Schemas) -> Json:
    """All answers of an operation, by status."""
    answers: Json = {str(method.status): _success(method, schemas)}
    if "ETag" in _success_headers(method) and method.rest and method.rest.verb == "GET":
        answers["304"] = {"$ref": "#/components/responses/NotModified"}
    for status in _errors(method):
        name = _ERROR_TEXTS[status][0]
        answers[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return answers


def _errors(method: Method) -> list[int]:
    """The errors that can happen here; those of Envoy itself can happen anywhere."""
    if method.rest is None:
        return []
    asks_who = method.access is not AccessRule.PUBLIC or method.rest.has_body
    finds = method.rest.has_body or bool(variables(method.rest.template))
    happens = {
        401: asks_who,
        403: asks_who,
        404: finds,
        409: method.rest.verb != "GET",
        412: method.rest.verb in CONDITIONAL,
        413: method.rest.has_body,
        415: method.rest.has_body,
        429: method.category is not LimitCategory.UNLIMITED,
    }
    return sorted([*_ALWAYS, *(status for status, it_does in happens.items() if it_does)])


def _success(method: Method, schemas: Schemas) -> Json:
    answer: Json = {
        "description": HTTPStatus(method.status).phrase,
        "headers": _header_references(_success_headers(method)),
    }
    if method.full_name == STREAM_EVENTS:
        answer["description"] = "Server-sent events: the position, the type, and what webhooks get."
        answer["content"] = {"text/event-stream": _EVENT_STREAM}
    elif method.streaming:
        answer["description"] = "A server-sent event for each message, with its JSON as data."
        answer["content"] = {"text/event-stream": {"schema": _data(method, schemas)}}
    elif method.status != HTTPStatus.NO_CONTENT:
        answer["content"] = {"application/json": {"schema": _body(method, schemas)}}
    return answer


def _success_headers(method: Method) -> list[str]:
    names = [REQUEST_ID_HEADER]
    if method.category not in (LimitCategory.UNLIMITED, LimitCategory.CREDENTIAL):
        names += _LIMIT_HEADERS
    if method.status == HTTPStatus.CREATED:
        names.append("Location")
    if method.rest is not None and method.rest.response_field:
        names.append("ETag")
    if method.idempotency.replays:
        names.append("Idempotent-Replayed")
    return names


def _body(method: Method, schemas: Schemas) -> Json:
    if not method.enveloped:
        return schemas.message(method.output, Direction.RESPONSE)
    meta = "PageMeta" if method.list_field else "Meta"
    return _object({"success": _SUCCESS, "data": _data(method, schemas), "meta": _ref(meta)})


def _data(method: Method, schemas: Schemas) -> Json:
    opened = method.list_field or (method.rest.response_field if method.rest else "")
    if opened:
        return schemas.value(method.output.fields_by_name[opened], Direction.RESPONSE)
    return schemas.message(method.output, Direction.RESPONSE)


def _header_references(names: list[str] | tuple[str, ...]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _object(properties: Json, required: list[str] | None = None) -> Json:
    """An object whose properties are all there, unless the required ones are named."""
    needed = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": needed}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
