"""Scripts that the core runs inside Valkey, so that what they count is exact over all processes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from redis import RedisError
from redis.asyncio import Redis

# What stands for an answer that never came; a time-out is an OSError.
ERRORS = (RedisError, OSError)

# Of one script at a time: a rush of calls opens no more connections than these.
CONNECTIONS = 32
TIMEOUT_SECONDS = 2.0


class ScriptRunner:
    """Runs one script, and waits no longer than two seconds for a connection and the answer."""

    def __init__(self, redis: Redis, source: str) -> None:
        self._script = redis.register_script(source)
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._running: set[asyncio.Task[int]] = set()

    async def __call__(self, keys: Sequence[bytes], *arguments: bytes | str | int) -> int:
        """The number that the script returns. It runs to its end though the caller leaves.

        Raises:
            RedisError: if Valkey refuses it.
            OSError: if Valkey does not answer.
        """
        running = asyncio.create_task(self._execute(keys, arguments))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        # Not asyncio.timeout: a client that is connecting may take the cancellation for its own.
        done, _ = await asyncio.wait({running}, timeout=TIMEOUT_SECONDS)
        if not done:
            running.cancel()
            raise TimeoutError
        return running.result()

    async def _execute(self, keys: Sequence[bytes], arguments: Sequence[bytes | str | int]) -> int:
        async with self._free:
            return int(await self._script(keys=list(keys), args=list(arguments)))


def milliseconds(moment: datetime) -> int:
    """Unix time in milliseconds."""
    return int(moment.timestamp() * 1000)
