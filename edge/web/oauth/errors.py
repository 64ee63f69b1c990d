"""Refusals as RFC 6749, section 5.2, writes them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import grpc
from aiohttp import web

from edge.web.core_client import CoreError

PREFIX = "OAUTH_"
NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
REALM = "portico"
BASIC_CHALLENGE = f'Basic realm="{REALM}", charset="UTF-8"'
INVALID_REQUEST = "invalid_request"
INVALID_CLIENT = "invalid_client"
TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
SERVER_ERROR = "server_error"
_JSON = {"Content-Type": "application/json"}
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
# RFC 6749, section 5.2: the characters of a description.
_NOT_DESCRIPTION = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")
_MAX_DESCRIPTION = 500
# With these the caller is asked for a credential (RFC 9110, section 15.5.2).
_STATUSES = {
    INVALID_CLIENT: HTTPStatus.UNAUTHORIZED,
    "invalid_token": HTTPStatus.UNAUTHORIZED,
    "insufficient_scope": HTTPStatus.FORBIDDEN,
    TEMPORARILY_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    SERVER_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}


@dataclass(frozen=True)
class OAuthError(Exception):
    """A request that an endpoint refuses.

    Attributes:
        error: the code, as the standards name it.
        description: what is wrong, for the developer of the application.
        status: the HTTP status; 0 for the one that belongs to the code.
        headers: of the answer, beside those that each has.
    """

    error: str
    description: str = ""
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        """The answer."""
        content = {"error": self.error}
        if self.description:
            content["error_description"] = plain(self.description)
        status = self.status or int(_STATUSES.get(self.error, HTTPStatus.BAD_REQUEST))
        headers = {**NOT_STORED, **self.headers}
        if self.error == INVALID_CLIENT:
            headers.setdefault("WWW-Authenticate", BASIC_CHALLENGE)
        return json_response(content, status, headers)


def invalid_request(description: str) -> OAuthError:
    """A request that is malformed."""
    return OAuthError(INVALID_REQUEST, description)


def from_core(error: CoreError) -> OAuthError:
    """What the core refuses, under its name on the wire."""
    if error.reason.startswith(PREFIX):
        name = error.reason.removeprefix(PREFIX).lower()
        return OAuthError(name, error.metadata.get("error_description", ""))
    wait = {} if error.retry_after is None else {"Retry-After": _seconds(error)}
    if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        text, status = "Too many requests.", int(HTTPStatus.TOO_MANY_REQUESTS)
        return OAuthError(TEMPORARILY_UNAVAILABLE, text, status, wait)
    if error.is_outage:
        return OAuthError(TEMPORARILY_UNAVAILABLE, "Try again later.", headers=wait)
    if error.code is grpc.StatusCode.INVALID_ARGUMENT:
        return invalid_request(_violations(error))
    return OAuthError(SERVER_ERROR)


def plain(text: str) -> str:
    """A text with the characters that a description may have."""
    return _NOT_DESCRIPTION.sub("?", text)[:_MAX_DESCRIPTION]


def json_response(
    content: Mapping[str, object], status: int = 200, headers: Mapping[str, str] = NOT_STORED
) -> web.Response:
    """An answer in JSON."""
    body = _encode(content).encode()
    return web.Response(body=body, status=status, headers={**headers, **_JSON})


def _violations(error: CoreError) -> str:
    names = ", ".join(sorted(error.violations))
    return f"A parameter is not valid: {names}." if names else "The request is not valid."


def _seconds(error: CoreError) -> str:
    assert error.retry_after is not None
    return str(max(1, math.ceil(error.retry_after.total_seconds())))
