"""An HTTP response as a client sees it, with the promises that all of ours keep."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDictProxy


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response, read to its end.

    Attributes:
        headers: the header fields, by names in any case.
    """

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        """The error of a response that has the error shape and nothing beside it."""
        error = error_of(self.body)
        assert error["requestId"] == self.headers["x-request-id"]
        return error

    @property
    def grpc_status(self) -> int:
        """The status of a gRPC-Web response, from its headers or its trailer frame."""
        if "grpc-status" in self.headers:
            return int(self.headers["grpc-status"])
        trailers = self.body[self.body.rindex(b"grpc-status:") :]
        return int(trailers.split(b"\r\n")[0].split(b":")[1])


def error_of(body: bytes) -> Any:
    """The error in a body that has the error shape and nothing beside it."""
    parsed = json.loads(body)
    assert set(parsed) == {"success", "error"}
    assert parsed["success"] is False
    assert set(parsed["error"]) == {"code", "message", "details", "requestId"}
    assert parsed["error"]["requestId"]
    return parsed["error"]
