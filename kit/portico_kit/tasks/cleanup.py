"""Deletes rows whose time is over, a batch at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.clock import Clock
from portico_kit.storage.base import Sessions

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
        """Deletes until no row is left whose time is over now."""
        now, deleted = self.clock(), dict.fromkeys(self.deletions, 0)
        for table, delete_some in self.deletions.items():
            count = self.batch
            while count == self.batch:
                async with self.sessions.begin() as db:
                    count = await delete_some(db, now, self.batch)
                deleted[table] += count
        log.info("deleted", **deleted)
