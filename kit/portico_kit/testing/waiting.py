"""Waits for what happens soon, with an end to the patience.

    await eventually(lambda: len(receiver.requests) == 2)
    seconds = await eventually(is_refused, within=5)

`wait_until` is the same for tests that are not coroutines.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

WITHIN_SECONDS = 30.0  # on a busy machine; what has a time of its own says which
EVERY_SECONDS = 0.02


async def eventually(
    condition: Callable[[], Awaitable[Any] | Any],
    within: float = WITHIN_SECONDS,
    every: float = EVERY_SECONDS,
) -> float:
    """Asks until the answer is true, at once first, and gives the seconds that it took.

    Args:
        condition: a function or a coroutine function; what it gives is taken as true or false.
        within: seconds after which it is a failure, also if an answer is still awaited.
        every: seconds between an answer and the next question.

    Raises:
        TimeoutError: if the answer was not true in time.
    """
    started = time.monotonic()
    async with asyncio.timeout(within):
        while True:
            holds = condition()
            if isinstance(holds, Awaitable):
                holds = await holds
            if holds:
                return time.monotonic() - started
            await asyncio.sleep(every)


def wait_until(
    condition: Callable[[], object],
    within: float = WITHIN_SECONDS,
    every: float = EVERY_SECONDS,
) -> float:
    """Asks until the answer is true, blocking the thread; see `eventually`.

    Raises:
        TimeoutError: if the answer was not true in time.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > within:
            raise TimeoutError(f"not true within {within} s")
        time.sleep(every)
    return time.monotonic() - started
