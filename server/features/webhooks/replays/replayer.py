"""Goes on with all replays, in the background of a worker's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from portico_kit.clock import Clock
from portico_kit.storage.base import Sessions
from portico_kit.tasks.failures import log_failures
from server.features.webhooks.delivery_queue import DueWebhook
from server.features.webhooks.replays.steps import (
    Turn,
    find_due,
    next_due,
    postpone,
    take_step,
)

# Replays that have a step in one round.
ROUND = 20
# Seconds between two rounds: at least, and at most before the sweep looks again.
SHORTEST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
# A round is followed by a pause of so many times its length: replays take at most a fifth of
# a worker's time, however many there are.
REST = 4

Deliver = Callable[[Sequence[DueWebhook]], Awaitable[None]]


class Replayer:
    """Takes steps as long as there is an active replay. The sweep starts it again."""

    def __init__(self, sessions: Sessions, clock: Clock, deliver: Deliver) -> None:
        """Takes what it works with.

        Args:
            deliver: sends what is due to the webhooks that it is given.
        """
        self._sessions = sessions
        self._clock = clock
        self._deliver = deliver
        self._running: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Sees to it that somebody goes on with the replays; does not wait for their end."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    async def settle(self) -> None:
        """Waits until no step is due soon."""
        if self._running is not None:
            await self._running

    async def close(self) -> None:
        """Ends between two statements; what is not committed is done again."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        with log_failures("replays_not_continued"):
            while True:
                began = loop.time()
                due = await self.take_round()
                took = loop.time() - began
                if due is None or (wait := self._seconds_until(due)) >= LONGEST_PAUSE:
                    return
                await asyncio.sleep(max(SHORTEST_PAUSE, wait, REST * took))

    async def take_round(self) -> datetime | None:
        """Gives each replay that is due one step.

        Returns:
            When the next step is due; None if no replay is active.
        """
        async with self._sessions() as db:
            turns = await find_due(db, self._clock(), ROUND)
        for turn in turns:
            await self._take_step(turn)
        async with self._sessions() as db:
            return await next_due(db)

    async def _take_step(self, turn: Turn) -> None:
        try:
            async with self._sessions.begin() as db:
                due = await take_step(db, turn, self._clock())
        except Exception:
            async with self._sessions.begin() as db:
                await postpone(db, turn, self._clock())
            with log_failures("replay_step_failed", replay_id=str(turn.replay_id)):
                raise
            return
        if due is not None:
            await self._deliver([due])

    def _seconds_until(self, moment: datetime) -> float:
        return (moment - self._clock()).total_seconds()
