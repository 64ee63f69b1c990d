"""What is cleared away when its time is over, and the keys that are renewed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from portico_kit.clock import Clock
from portico_kit.ids import earliest_id
from portico_kit.storage.base import Sessions, delete_batch
from portico_kit.storage.idempotency import IdempotentAnswer
from portico_kit.storage.outbox import Email, Event
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.auth import cleanup as auth
from server.features.auth.signing_keys import SigningKeys
from server.features.webhooks.delivery_queue import delete_ended

log = structlog.get_logger("housekeeping")

KEPT = timedelta(days=30)
BATCH = 1000  # rows in one transaction


async def delete_answers(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes answers whose Idempotency-Key holds no longer."""
    expired = IdempotentAnswer.expires_at <= now
    return await delete_batch(db, IdempotentAnswer.scope, expired, limit)


async def delete_events(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes old events that were told. One that was not is never lost."""
    told = (Event.id < earliest_id(now - KEPT)) & Event.fanned_out_at.is_not(None)
    return await delete_batch(db, Event.id, told, limit)


async def delete_emails(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes old mails that were sent or given up."""
    ended = (Email.id < earliest_id(now - KEPT)) & Email.next_attempt_at.is_(None)
    return await delete_batch(db, Email.id, ended, limit)


async def delete_deliveries(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes old deliveries that arrived or were given up."""
    return await delete_ended(db, now - KEPT, limit)


# Each deletes one batch, and says how many rows that were.
BATCHES: dict[str, Callable[[AsyncSession, datetime, int], Awaitable[int]]] = {
    **auth.BATCHES,
    "idempotency_keys": delete_answers,
    "events": delete_events,
    "emails": delete_emails,
    "deliveries": delete_deliveries,
}


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Clears away and renews."""

    sessions: Sessions
    signing_keys: SigningKeys
    clock: Clock

    async def delete_expired(self) -> None:
        """Deletes every row whose time is over."""
        now, deleted = self.clock(), dict.fromkeys(BATCHES, 0)
        for table, delete_some in BATCHES.items():
            count = BATCH
            while count == BATCH:
                async with self.sessions.begin() as db:
                    count = await delete_some(db, now, BATCH)
                deleted[table] += count
        log.info("deleted", **deleted)

    async def rotate_signing_keys(self) -> None:
        """Makes the next signing key if it is time."""
        if await self.signing_keys.rotate(self.clock()):
            log.info("signing_key_made")
