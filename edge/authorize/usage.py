"""Counts how often keys are used, in memory, and sends the counts to the core in batches.

Each admitted request counts, also those answered from memory. If the process is killed,
the counts since the last batch are lost: those of a few seconds.
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
MAX_BATCH_KEYS = 1000
LAST_ATTEMPTS = 3
LAST_PAUSE_SECONDS = 0.2


@dataclass(slots=True)
class KeyUsage:
    """The uses of one key since the last batch.

    Attributes:
        count: how many there were.
        last_used_at: when the last one was.
    """

    count: int
    last_used_at: datetime


@dataclass(frozen=True, slots=True)
class UsageBatch:
    """What is sent at once. Sent again under the same id, it counts once.

    Attributes:
        id: the idempotency key.
        usages: by the ids of the keys.
    """

    id: UUID
    usages: Sequence[tuple[str, KeyUsage]]


class UsageRecorder(Protocol):
    """Stores the counts."""

    async def record(self, batch: UsageBatch) -> bool:
        """Stores a batch; returns whether it needs no further attempt. Never raises."""
        ...


class UsageBuffer:
    """The counts that are not sent yet."""

    def __init__(self, recorder: UsageRecorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._counted: dict[str, KeyUsage] = {}
        # The batch that was sent, and may or may not have arrived.
        self._unconfirmed: UsageBatch | None = None

    def count(self, key_id: str) -> None:
        """Counts one request with this key."""
        now = self._clock()
        usage = self._counted.get(key_id)
        if usage is None:
            self._counted[key_id] = KeyUsage(1, now)
        else:
            usage.count += 1
            usage.last_used_at = now

    async def flush_regularly(self, stopped: asyncio.Event) -> None:
        """Flushes every few seconds until it is stopped, and once more then."""
        while not stopped.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), INTERVAL_SECONDS)
            await self.flush()
        for _ in range(LAST_ATTEMPTS):
            if await self.flush():
                return
            await asyncio.sleep(LAST_PAUSE_SECONDS)

    async def flush(self) -> bool:
        """Sends what is counted; returns whether nothing is left."""
        while self._unconfirmed or self._counted:
            self._unconfirmed = self._unconfirmed or self._next_batch()
            if not await self._recorder.record(self._unconfirmed):
                return False
            self._unconfirmed = None
        return True

    def _next_batch(self) -> UsageBatch:
        key_ids = list(islice(self._counted, MAX_BATCH_KEYS))
        return UsageBatch(new_id(), [(key_id, self._counted.pop(key_id)) for key_id in key_ids])
