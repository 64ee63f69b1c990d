"""Checks that take a processor for long: few at a time, each once however many wait for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from uuid import UUID

from portico_kit.errors import UnavailableError
from portico_kit.threads import low_priority_executor

# Whoever knows the prefix of a key can send made-up secrets: these bounds are what that costs.
THREADS = max(1, (os.cpu_count() or 1) // 4)
WAITING = 32
WAITING_FOR_ONE_KEY = 2


class SlowChecks:
    """Runs checks beside the other calls.

    A check goes on when its caller has left: the next attempt finds its result,
    or waits for the rest of it.
    """

    def __init__(self) -> None:
        self._threads = low_priority_executor(THREADS, "imported-keys")
        self._running: dict[bytes, tuple[UUID, asyncio.Task[bool]]] = {}

    async def once(self, name: bytes, key_id: UUID, check: Callable[[], Awaitable[bool]]) -> bool:
        """The outcome of a check.

        Args:
            name: of the secret; who asks about the same one waits for the same check.
            key_id: the key that the secret may be of.

        Raises:
            UnavailableError: if too many are under way.
        """
        if name not in self._running:
            self._require_room(key_id)
            task = asyncio.ensure_future(check())
            self._running[name] = key_id, task
            task.add_done_callback(lambda done: self._finished(name, done))
        return await asyncio.shield(self._running[name][1])

    async def in_thread(self, work: Callable[[], bool]) -> bool:
        """The outcome of work that lets go of the interpreter; it waits for its turn."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _require_room(self, key_id: UUID) -> None:
        of_key = sum(1 for owner, _ in self._running.values() if owner == key_id)
        if len(self._running) >= WAITING or of_key >= WAITING_FOR_ONE_KEY:
            raise UnavailableError

    def _finished(self, name: bytes, task: asyncio.Task[bool]) -> None:
        del self._running[name]
        if not task.cancelled():
            task.exception()  # seen, even if everyone who waited has left
