"""Answers that are streams: how one is written, and what ends it.

A stream ends when its servicer is done, when the client goes, when its time is
over, when the server stops, when the client does not read, and when the caller
may no longer have it (see `Access.stream`). Whatever it is, the servicer's
generator is closed at once, so that its `finally` runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, NoReturn, TypeVar

from google.protobuf.message import Message

from portico_contract import Method
from portico_kit.call import Call
from portico_kit.errors import AnswerTooLargeError, StreamEndedError

Serve = Callable[[Any, Call], AsyncGenerator[Message, None]]
Write = Callable[[bytes], Awaitable[None]]
Result = TypeVar("Result")

# So long the client may leave a message unread, in seconds.
UNREAD_SECONDS = 60.0


class Streams:
    """Every open stream of a server, to end them when it stops."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()

    def end(self) -> None:
        """Ends all streams, also those that are opened from now on."""
        self._stopping.set()

    async def ended(self) -> NoReturn:
        """Waits for the stop.

        Raises:
            StreamEndedError: then.
        """
        await self._stopping.wait()
        raise StreamEndedError


async def write_all(
    serve: Serve,
    method: Method,
    streams: Streams,
    request: Any,
    call: Call,
    write: Write,
    most: int,
) -> None:
    """Writes every message of a stream until something ends it.

    Args:
        most: the largest message, in bytes.

    Raises:
        StreamEndedError: if its time is over, the server stops or the client does not read.
        AnswerTooLargeError: if a message is larger.
    """

    async def run() -> None:
        async with aclosing(serve(request, call)) as messages:
            async for message in messages:
                call.require_authorized()
                answer = message.SerializeToString()
                if len(answer) > most:
                    raise AnswerTooLargeError
                await _written(write(answer))
                # Neither may wait for anything, the servicer or the writing: what ends this
                # stream, and everybody else, must have a turn all the same.
                await asyncio.sleep(0)
        call.require_authorized()

    await first_of(run(), streams.ended(), _out_of_time(method.timeout))


async def _written(writing: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(UNREAD_SECONDS):
            await writing
    except Exception:
        # Out of time, or what grpcio says of a client that has gone.
        raise StreamEndedError from None


async def _out_of_time(seconds: float | None) -> NoReturn:
    await asyncio.sleep(seconds or 0)
    raise StreamEndedError


async def first_of(
    work: Coroutine[Any, Any, Result], *ends: Coroutine[Any, Any, NoReturn]
) -> Result:
    """The result of the work, unless something ends it first; what is left is cancelled."""
    task = asyncio.ensure_future(work)
    others = [asyncio.ensure_future(end) for end in ends]
    try:
        await asyncio.wait([task, *others], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            for other in others:
                if other.done():
                    await other
        return await task
    finally:
        for each in (task, *others):
            each.cancel()
        await asyncio.gather(task, *others, return_exceptions=True)
