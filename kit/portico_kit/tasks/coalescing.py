"""A job that many may ask for and that runs once at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable


class CoalescingJob:
    """Runs a job; requests that come while it runs become one more run after it.

    So every request is followed by a run that began after it, however many
    wake-ups arrive, and a job that takes long never occupies a second thread.
    All requests come from one event loop.
    """

    def __init__(self, job: Callable[[], Awaitable[None]]) -> None:
        self._job = job
        self._running = False
        self._wanted = False

    async def __call__(self) -> None:
        """Runs the job, or has the one who runs it run it again."""
        self._wanted = True
        if self._running:
            return
        self._running = True
        try:
            while self._wanted:
                self._wanted = False
                await self._job()
        finally:
            self._running = False
