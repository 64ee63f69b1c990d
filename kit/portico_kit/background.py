"""What runs beside a process's own work, and has to end with it."""

from __future__ import annotations

import asyncio

# How long a task has to end before it is cancelled again.
RETRY_SECONDS = 0.25


async def cancel(*tasks: asyncio.Task[None]) -> None:
    """Cancels tasks, and waits for their end.

    It may take several attempts: redis-py loses a cancellation that arrives while it
    connects.
    """
    remaining = {task for task in tasks if not task.done()}
    while remaining:
        for task in remaining:
            task.cancel()
        _, remaining = await asyncio.wait(remaining, timeout=RETRY_SECONDS)
