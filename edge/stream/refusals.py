"""Refusals in the one shape of errors: before a stream begins, and as its last word."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portico_kit.status import StatusCode

# As envelope.lua gives them to a call of the API.
_STATUSES: Mapping[int, int] = {
    StatusCode.INVALID_ARGUMENT: 422,
    StatusCode.OUT_OF_RANGE: 422,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.NOT_FOUND: 404,
    StatusCode.FAILED_PRECONDITION: 409,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 503,
}


@dataclass(frozen=True, slots=True)
class Violation:
    """A field that is to blame, and the rule that it breaks."""

    field: str
    code: str
    message: str


@dataclass(frozen=True)
class Refusal:
    """Why there is no stream, or none any more.

    Attributes:
        status: of the HTTP answer.
        code: the reason, as docs/errors.md lists it.
        retry_after: seconds after which it makes sense to try again; 0 if nothing is said.
        challenge: what WWW-Authenticate says; "" for the scheme alone.
    """

    status: int
    code: str
    message: str
    details: Sequence[Violation] = ()
    retry_after: int = 0
    challenge: str = ""

    @property
    def is_outage(self) -> bool:
        """Whether nothing is wrong with the request."""
        return self.status == 503

    def plain(self) -> dict[str, Any]:
        """What is said of it, without the request."""
        details = [
            {"field": each.field, "code": each.code, "message": each.message}
            for each in self.details
        ]
        return {"code": self.code, "message": self.message, "details": details}

    def body(self, request_id: str) -> bytes:
        """The body of the HTTP answer."""
        error = {**self.plain(), "requestId": request_id}
        return json.dumps({"success": False, "error": error}, separators=(",", ":")).encode()


class RefusedError(Exception):
    """There is no stream."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def http_status(code: int) -> int:
    """The status of the HTTP answer for the number of a status of gRPC."""
    return _STATUSES.get(code, 500)


UNAVAILABLE = Refusal(503, "UNAVAILABLE", "The service is unavailable; try again.", retry_after=1)
INTERNAL = Refusal(500, "INTERNAL", "An internal error occurred.")
NOT_FOUND = Refusal(404, "NOT_FOUND", "There is no such resource.")
ORIGIN_REFUSED = Refusal(403, "PERMISSION_DENIED", "Pages of this origin may not open a WebSocket.")
UPGRADE_REQUIRED = Refusal(
    426, "UPGRADE_REQUIRED", "The path is a WebSocket: ask for an upgrade (RFC 6455)."
)
MALFORMED = Refusal(400, "MALFORMED_REQUEST", "The request is malformed.")
STREAM_ENDED = Refusal(503, "STREAM_ENDED", "The stream has ended; open it again.")
SLOW_CONSUMER = Refusal(
    503, "SLOW_CONSUMER", "The events were not read in time; open the stream again."
)


def limit_reached(limit: int) -> Refusal:
    """The organization has as many streams as it may have."""
    return Refusal(
        429,
        "STREAM_LIMIT_REACHED",
        "The organization has as many event streams as its tier allows.",
        retry_after=60,
    )
