"""Counts how often keys are used, in memory, and hands the counts over in batches.

Every request that is let in counts, also those answered from memory. What a
killed process had not handed over is lost: a few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Protocol
from uuid import UUID

from portico_kit.clock import Clock
from portico_kit.ids import new_id

INTERVAL_SECONDS = 5.0
BATCH = 1000  # keys
LAST_ATTEMPTS = 3
LAST_PAUSE_SECONDS = 0.2


@dataclass(slots=True)
class Used:
    """The uses of one key since the last batch."""

    count: int
    last_used_at: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """What is handed over at once. Sent again under the same id, it counts once."""

    id: UUID
    uses: Sequence[tuple[str, Used]]


class Recorder(Protocol):
    """Keeps the counts."""

    async def record(self, batch: Batch) -> bool:
        """Takes a batch, and says whether it needs no further attempt. Never raises."""
        ...


class Uses:
    """What is counted and not handed over yet."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._counted: dict[str, Used] = {}
        # The batch of which it is not known whether it has arrived.
        self._open: Batch | None = None

    def count(self, key_id: str) -> None:
        """One more request with this key."""
        now = self._clock()
        used = self._counted.get(key_id)
        if used is None:
            self._counted[key_id] = Used(1, now)
        else:
            used.count += 1
            used.last_used_at = now

    async def hand_over_regularly(self, stopped: asyncio.Event) -> None:
        """Hands over every few seconds until it is stopped, and once more then."""
        while not stopped.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), INTERVAL_SECONDS)
            await self.hand_over()
        for _ in range(LAST_ATTEMPTS):
            if await self.hand_over():
                return
            await asyncio.sleep(LAST_PAUSE_SECONDS)

    async def hand_over(self) -> bool:
        """Hands over what is counted, and says whether nothing is left."""
        while self._open or self._counted:
            self._open = self._open or self._next_batch()
            if not await self._recorder.record(self._open):
                return False
            self._open = None
        return True

    def _next_batch(self) -> Batch:
        chosen = list(islice(self._counted, BATCH))
        return Batch(new_id(), [(key_id, self._counted.pop(key_id)) for key_id in chosen])
