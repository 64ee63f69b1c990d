"""The native engine, with one thing of our own: how it waits for a client that is behind.

That takes parts of the engine that it does not promise. If a release of it has them no
more, it waits in its own way, which is right but slower, and a warning says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pygrpc_native as engine
import pygrpc_native.aio as native
import structlog

log = structlog.get_logger("rpc")

# What `_send` is made of.
SERVER_PARTS = ("_send", "_encode")
MODULE_PARTS = ("STREAM_CLOSED", "STREAM_FULL")
FIRST_WAIT = 0.005  # seconds
LONGEST_WAIT = 0.25


def new_server(options: Sequence[tuple[str, Any]]) -> native.Server:
    """A server of the native engine, with one thread for all connections."""
    if has_parts():
        return NativeServer(options=options, io_threads=1)
    log.warning("native_engine_unknown", consequence="slow readers of streams hold threads")
    return native.Server(options=options, io_threads=1)


def has_parts() -> bool:
    """Whether the engine has what `NativeServer` is made of."""
    return all(hasattr(native.Server, name) for name in SERVER_PARTS) and all(
        hasattr(engine, name) for name in MODULE_PARTS
    )


class NativeServer(native.Server):
    """Waits on the loop; the engine would hold a thread of a small pool for each slow client."""

    async def _send(self, call: Any, context: Any, response: Any) -> bool:
        data = self._encode(call, context, response)
        if data is None:
            return False
        context._initial_sent = True
        front, wait = self._front, FIRST_WAIT
        assert front is not None
        while (sent := front.stream_try_send(call.call_id, data)) == engine.STREAM_FULL:
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        return bool(sent != engine.STREAM_CLOSED)
