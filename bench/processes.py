"""Processes that a measurement starts beside the platform, and stops by their id."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

START_SECONDS = 20.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05


@asynccontextmanager
async def process(*command: str, environment: Mapping[str, str]) -> AsyncIterator[int]:
    """A process as long as the block lasts; gives its id."""
    started = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield started.pid
    finally:
        await _stop(started)


async def listening(port: int) -> None:
    """Waits until somebody answers on a port of the loopback address.

    Raises:
        TimeoutError: if nobody does within 20 seconds.
    """
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(POLL_SECONDS)
            else:
                writer.close()
                return


async def _stop(started: asyncio.subprocess.Process) -> None:
    if started.returncode is not None:
        return
    started.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await started.wait()
    except TimeoutError:
        started.kill()
        await started.wait()
