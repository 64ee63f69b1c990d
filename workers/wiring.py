"""Builds a worker of what the features of `server.app` declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redis.asyncio import Redis

from portico_kit.clock import Clock, utc_now
from portico_kit.storage.base import create_engine, sessions
from portico_kit.tasks.cleanup import Cleanup
from portico_kit.tasks.coalescing import CoalescingJob
from server.app import FEATURES, MAILS
from server.feature import Job, unique
from server.parts import WorkerParts
from server.settings import WorkerSettings
from workers.schedule import CLEANUP_TASK

# A delivery's record is one short transaction; a few connections serve many deliveries.
POOL_SIZE = 20


@dataclass(frozen=True, slots=True)
class Wiring:
    """A worker that is built.

    Attributes:
        jobs: what it does, by the name of the task.
    """

    parts: WorkerParts
    jobs: Mapping[str, Job]

    async def close(self) -> None:
        """Lets what is under way finish, and every connection go."""
        for job in self.parts.on_close:
            await job()
        await self.parts.redis.aclose()
        await self.parts.engine.dispose()


async def build(settings: WorkerSettings, clock: Clock = utc_now) -> Wiring:
    """Builds everything, on the event loop that will run it; nothing is connected yet."""
    engine = create_engine(settings.database_url, pool_size=POOL_SIZE)
    parts = WorkerParts(
        settings=settings,
        clock=clock,
        secrets=settings.secrets,
        engine=engine,
        sessions=sessions(engine),
        redis=Redis.from_url(settings.redis_url, socket_connect_timeout=1, socket_timeout=2),
        mails=MAILS,
    )
    # Every table must be known, not only those used here: rows are written in the order of
    # their foreign keys, which reach into other features.
    tables = [feature.tables() for feature in FEATURES]
    deletions = unique("cleanup", (item for one in tables for item in one.cleanup.items()))
    own: tuple[str, Job] = (CLEANUP_TASK, Cleanup(parts.sessions, clock, deletions))
    declared = (item for one in FEATURES for item in one.tasks(parts).items())
    jobs = unique("task", (own, *declared))
    return Wiring(parts, {name: CoalescingJob(job) for name, job in jobs.items()})
