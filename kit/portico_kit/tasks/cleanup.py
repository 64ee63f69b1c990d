"""Deletes rows whose time is over, a batch at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.clock import Clock
from portico_kit.storage.base import Sessions
from portico_kit.tasks.failures import log_failures

log = structlog.get_logger("cleanup")

BATCH = 1000  # rows in one transaction


@dataclass(frozen=True, slots=True)
class Cleanup:
    """The job that deletes every row whose time is over.

    Attributes:
        deletions: each deletes at most so many rows and returns how many; by table.
    """

    sessions: Sessions
    clock: Clock
    deletions: Mapping[str, Callable[[AsyncSession, datetime, int], Awaitable[int]]]
    batch: int = BATCH

    async def __call__(self) -> None:
        """Deletes until no row is left whose time is over now.

        A table that fails is logged, and keeps no other from being cleaned.
        """
        now, deleted = self.clock(), dict.fromkeys(self.deletions, 0)
        for table in self.deletions:
            with log_failures("cleanup_failed", table=table):
                async for count in self._batches(table, now):
                    deleted[table] += count
        log.info("deleted", **deleted)

    async def _batches(self, table: str, now: datetime) -> AsyncIterator[int]:
        """Deletes a table's rows, and gives how many with each batch."""
        count = self.batch
        while count == self.batch:
            async with self.sessions.begin() as db:
                count = await self.deletions[table](db, now, self.batch)
            yield count
