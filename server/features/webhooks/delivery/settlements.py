"""Writes down what came of attempts: of all that end at about the same time by one statement."""

from __future__ import annotations

import asyncio

from portico_kit.storage.base import Sessions, database_unavailable, single_statements
from server.features.webhooks.delivery_queue import Outcome, record_attempt, record_attempts

# How long outcomes are gathered, in seconds, and how many at the most.
GATHERING = 0.01
LARGEST_BATCH = 200
# Statements at once: fewer than there are database connections.
STATEMENTS = 4


class Settlements:
    """Gathers outcomes. One that is lost with its process is an attempt that is made again."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = single_statements(sessions)
        self._waiting: dict[asyncio.Future[bool], Outcome] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._at_once = asyncio.Semaphore(STATEMENTS)
        self._running: set[asyncio.Task[None]] = set()

    async def settle(self, outcome: Outcome) -> bool:
        """Writes down an outcome, together with others.

        Returns:
            False if the claim had run out, or the delivery is gone: nothing is written.

        Raises:
            Exception: what the statement raised.
        """
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[bool] = loop.create_future()
        self._waiting[settled] = outcome
        if len(self._waiting) >= LARGEST_BATCH:
            self._flush()
        elif self._timer is None:
            self._timer = loop.call_later(GATHERING, self._flush)
        return await settled or await self._settle_alone(outcome)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = self._waiting, {}
        task = asyncio.create_task(self._settle_all(batch))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _settle_all(self, batch: dict[asyncio.Future[bool], Outcome]) -> None:
        try:
            async with self._at_once, self._sessions() as db:
                written = await record_attempts(db, list(batch.values()))
        except Exception as error:
            if database_unavailable(error):
                _fail(batch, error)
                return
            # Each has another try of its own: one that cannot be written keeps no other back.
            written = set()
        for settled, outcome in batch.items():
            if not settled.done():
                settled.set_result(outcome.delivery_id in written)

    async def _settle_alone(self, outcome: Outcome) -> bool:
        """For what a batch left out: waits for whoever is changing the delivery."""
        async with self._at_once, self._sessions() as db:
            return await record_attempt(db, outcome)


def _fail(batch: dict[asyncio.Future[bool], Outcome], error: Exception) -> None:
    for settled in batch:
        if not settled.done():
            settled.set_exception(error)
