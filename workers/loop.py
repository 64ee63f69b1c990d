"""The event loop of a worker process: one thread, shared by every task."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

# Looking up a host name blocks a thread, and the name servers of a dead domain
# take their time: they must not hold up everyone else's.
LOOKUP_THREADS = 32
# How long what still runs at the end may take to clean up.
CANCEL_SECONDS = 1.0


class LoopThread:
    """Runs coroutines for threads that have no event loop, as Celery's have none.

    One loop for the whole process lets all tasks share the database connections
    and the HTTP client.
    """

    def __init__(self) -> None:
        # Those who leave the look-up to uvloop have threads of its own.
        os.environ.setdefault("UV_THREADPOOL_SIZE", str(LOOKUP_THREADS))
        self._loop = uvloop.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(LOOKUP_THREADS, "lookup"))
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._loop.run_forever,), name="loop", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine and waits for what it gives."""
        return self.submit(work).result()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Starts a coroutine and does not wait."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """Ends the loop; what still runs on it is cancelled."""
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


async def _cancel_others() -> None:
    """Cancels every other task of the loop, and lets each clean up for a moment."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=CANCEL_SECONDS)
