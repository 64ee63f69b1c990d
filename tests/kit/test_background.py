"""Promises about work beside a process's own: it ends when it is asked to."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from portico_kit.background import cancel


async def losing(cancellations: int) -> None:
    """Works on though it was cancelled so many times, as a library does that loses that."""
    for _ in range(cancellations):
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
    await asyncio.sleep(60)


async def failing() -> None:
    raise RuntimeError


async def test_all_end_though_one_loses_its_cancellation() -> None:
    tasks = [asyncio.create_task(work) for work in (losing(0), losing(2), failing())]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await cancel(*tasks)
    assert [task.cancelled() for task in tasks] == [True, True, False]
    assert isinstance(tasks[2].exception(), RuntimeError)
