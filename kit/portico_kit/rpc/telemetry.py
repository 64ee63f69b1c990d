"""Counts every call and its time, and logs those that did not succeed.

The gateway's access log has a line for each request; here a success is logged
at debug only, so that the hot path does not pay for a second one.
"""

from __future__ import annotations

import asyncio
import functools
import time
from typing import Any

import structlog
from google.protobuf.json_format import SerializeToJsonError
from google.protobuf.message import Message
from prometheus_client import Counter, Histogram

from portico_contract import redacted
from portico_kit.call import Call
from portico_kit.errors import DomainError
from portico_kit.rpc.pipeline import Proceed

CALLS = Counter("portico_rpc_calls", "Calls, by method and outcome.", ["rpc", "reason"])
SECONDS = Histogram("portico_rpc_seconds", "The time a call took, in seconds.", ["rpc"])

# A log line must not grow with whatever a caller cares to send.
MAX_LOGGED_BYTES = 2000

log = structlog.get_logger("rpc")


# Looked up once: a label costs more than counting does.
_calls = functools.cache(CALLS.labels)
_seconds = functools.cache(SECONDS.labels)


class Telemetry:
    """Watches calls; changes nothing."""

    async def __call__(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Lets the call proceed and notes how it went."""
        started, reason = time.perf_counter(), "INTERNAL"
        try:
            response = await proceed(request, call)
            reason = "OK"
        except DomainError as error:
            reason = error.reason
            raise
        except asyncio.CancelledError:
            reason = "CANCELLED"
            raise
        finally:
            seconds = time.perf_counter() - started
            _calls(call.method.path, reason).inc()
            _seconds(call.method.path).observe(seconds)
            self._log(request, call, reason, seconds)
        return response

    def _log(self, request: Message, call: Call, reason: str, seconds: float) -> None:
        if reason == "OK" and not log.is_enabled_for(10):
            return
        log.log(
            10 if reason == "OK" else 20,
            "call",
            rpc=call.method.path,
            reason=reason,
            milliseconds=round(seconds * 1000, 1),
            principal=call.principal.kind,
            principal_id=str(call.principal.id or ""),
            request_id=call.request_id,
            request=_shown(request),
        )


def _shown(request: Message) -> dict[str, Any]:
    """What was asked, without sensitive values; of a long request only the size in bytes."""
    size = request.ByteSize()
    if size > MAX_LOGGED_BYTES:
        return {"bytes": size}
    try:
        return redacted(request)
    except SerializeToJsonError:
        # A timestamp, say, for which no calendar has a day: over gRPC there are such numbers.
        return {"bytes": size}
