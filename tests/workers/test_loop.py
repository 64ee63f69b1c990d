"""The event loop of a worker ends with everything on it."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError

import pytest

from workers.loop import LoopThread


async def until_cancelled(cleaned_up: list[str]) -> None:
    """Waits for what never comes, as for a mail server that does not answer."""
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        cleaned_up.append("cleaned up")


def test_what_still_runs_when_the_loop_ends_is_cancelled_and_cleans_up() -> None:
    loop = LoopThread()
    cleaned_up: list[str] = []
    running = loop.submit(until_cancelled(cleaned_up))
    loop.run(asyncio.sleep(0))
    loop.stop()
    assert cleaned_up == ["cleaned up"]
    with pytest.raises(CancelledError):
        running.result(timeout=0)
