"""Our copies of the logos of applications: fetched once, by a worker, and shown from our origin.

A page of ours that showed the picture at the application's address would tell whoever has that
address who is about to sign in, from where, and when.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from sqlalchemy import Row, exists, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.clock import Clock
from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from portico_kit.storage.base import Sessions, delete_batch
from portico_kit.tasks.failures import log_failures
from portico_kit.tasks.retries import RetrySchedule
from server.common.outbound_json import FetchFailedError, JsonClient
from server.features.applications.images import MAX_BYTES, read_image
from server.features.applications.models import Application, ApplicationLogo

AT_ONCE = 20
# Longer than fetching takes.
LEASE = timedelta(seconds=30)
# An address that does not answer is asked again; what it answers is final.
RETRIES = RetrySchedule((timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1)))
ACCEPT = "image/png, image/jpeg, image/webp, image/gif"

log = structlog.get_logger("applications")

_CLAIM = text("""
    with due as (
        select id from applications
        where logo_due_at <= :now
        order by logo_due_at
        limit :limit
        for update skip locked
    )
    update applications set logo_due_at = :until
    from due
    where applications.id = due.id
    returning applications.id, applications.logo_uri, applications.logo_attempts,
              applications.logo_due_at as until,
              applications.deleted_at is not null as deleted
""")


@dataclass(frozen=True, slots=True)
class LogoFetcher:
    """Fetches the logos that are due."""

    sessions: Sessions
    client: JsonClient
    invalidator: CacheInvalidator
    clock: Clock
    retries: RetrySchedule = RETRIES

    async def __call__(self) -> None:
        """Fetches until none is due."""
        while claimed := await self._claim():
            await asyncio.gather(*(self._fetch(each) for each in claimed))

    async def _claim(self) -> Sequence[Row[Any]]:
        now = self.clock()
        values = {"now": now, "until": now + LEASE, "limit": AT_ONCE}
        async with self.sessions.begin() as db:
            return (await db.execute(_CLAIM, values)).all()

    async def _fetch(self, due: Row[Any]) -> None:
        with log_failures("logo_not_recorded", application_id=str(due.id)):
            if due.deleted or not due.logo_uri:
                await self._settle(due, logo_due_at=None)
                return
            try:
                content = await self.client.download(due.logo_uri, ACCEPT, MAX_BYTES)
                content_type = read_image(content).content_type
            except FetchFailedError as failure:
                await self._failed(due, failure.detail, self.retries)
            except ValueError as error:
                await self._failed(due, str(error), RetrySchedule(()))
            else:
                await self._keep(due, content, content_type)

    async def _keep(self, due: Row[Any], content: bytes, content_type: str) -> None:
        digest = hashlib.sha256(content).hexdigest()
        copy = {"content": content, "content_type": content_type}
        async with self.sessions.begin() as db:
            # The row of the application first, as its deletion locks them.
            if not await _settle(db, due, logo_due_at=None, logo_digest=digest):
                return
            kept = insert(ApplicationLogo).values(id=due.id, **copy)
            await db.execute(kept.on_conflict_do_update(index_elements=["id"], set_=copy))
        try:
            await self.invalidator.application_changed(due.id)
        except (RedisError, OSError):
            # Nothing is kept longer than a minute.
            log.warning("logo_not_announced", application_id=str(due.id))

    async def _failed(self, due: Row[Any], error: str, retries: RetrySchedule) -> None:
        pause = retries.pause_after(due.logo_attempts + 1)
        due_at = self.clock() + pause if pause is not None else None
        await self._settle(due, logo_due_at=due_at, logo_attempts=due.logo_attempts + 1)
        log.warning("logo_failed", application_id=str(due.id), error=error, given_up=pause is None)

    async def _settle(self, due: Row[Any], **changes: Any) -> None:
        async with self.sessions.begin() as db:
            await _settle(db, due, **changes)


async def _settle(db: AsyncSession, due: Row[Any], **changes: Any) -> bool:
    """Writes down what came of a logo, unless it was set again meanwhile, or the claim ran out."""
    settled = await db.scalars(
        update(Application)
        .where(Application.id == due.id, Application.logo_due_at == due.until)
        # Neither the version nor what its owner sees of it changes.
        .values(updated_at=Application.updated_at, **changes)
        .returning(Application.id)
        .execution_options(synchronize_session=False)
    )
    return settled.one_or_none() is not None


async def find_logo(
    db: AsyncSession, application_id: UUID, digest: str
) -> tuple[bytes, str] | None:
    """The copy of that name and its media type, if it is the one that is shown now."""
    query = (
        select(ApplicationLogo.content, ApplicationLogo.content_type)
        .join(Application, Application.id == ApplicationLogo.id)
        .where(
            Application.id == application_id,
            Application.logo_digest == digest,
            Application.deleted_at.is_(None),
        )
    )
    row = (await db.execute(query)).one_or_none()
    return (row.content, row.content_type) if row else None


async def delete_logos(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes copies that nobody is shown any more, and returns how many."""
    shown = exists().where(
        Application.id == ApplicationLogo.id,
        Application.logo_digest != "",
        Application.deleted_at.is_(None),
    )
    return await delete_batch(db, ApplicationLogo.id, ~shown, limit)
