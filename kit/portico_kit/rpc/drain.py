"""Stops a server without losing the answer of a call that it has taken.

The engines close a connection as soon as the last handler has returned, with
its answer perhaps still to be written, and with calls perhaps just arriving.
A caller cannot tell the two apart: both end with the connection. So before the
engine is asked to stop, no call is taken any more, and what was taken has its
answer written. What a closing connection cuts then is only a refusal.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import grpc

# So long after the last answer is given to the engine, it has been written.
WRITTEN_SECONDS = 0.2
SHUTTING_DOWN = "the server is shutting down"


class Drain:
    """Counts the calls under way, and refuses new ones once it has begun."""

    def __init__(self) -> None:
        self._begun = False
        self._under_way = 0
        self._idle = asyncio.Event()

    def guard(self, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        """The handler of a method with one answer, with its calls counted."""
        serve = handler.unary_unary
        if serve is None:
            # A stream ends with the engine: it has no one answer to lose.
            return handler

        async def counted(request: Any, context: Any) -> Any:
            if self._begun:
                await context.abort(grpc.StatusCode.UNAVAILABLE, SHUTTING_DOWN)
            self._under_way += 1
            try:
                return await serve(request, context)
            finally:
                self._under_way -= 1
                self._note_idle()

        return grpc.unary_unary_rpc_method_handler(
            counted,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    async def finish(self, seconds: float) -> None:
        """Refuses new calls, and waits at most so long until those taken are answered."""
        self._begun = True
        self._note_idle()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
                await asyncio.sleep(WRITTEN_SECONDS)

    def _note_idle(self) -> None:
        if self._begun and not self._under_way:
            self._idle.set()
