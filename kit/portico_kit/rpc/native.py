"""The native engine, with one thing of our own: how it waits for a client that is behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pygrpc_native.aio as native
from pygrpc_native._native import STREAM_CLOSED, STREAM_FULL

FIRST_WAIT = 0.005  # seconds
LONGEST_WAIT = 0.25


class NativeServer(native.Server):
    """Waits on the loop; the engine would hold a thread of a small pool for each slow client."""

    async def _send(self, call: Any, context: Any, response: Any) -> bool:
        data = self._encode(call, context, response)
        if data is None:
            return False
        context._initial_sent = True
        front, wait = self._front, FIRST_WAIT
        assert front is not None
        while (sent := front.stream_try_send(call.call_id, data)) == STREAM_FULL:
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        return bool(sent != STREAM_CLOSED)
