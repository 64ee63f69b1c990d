"""When events and kept answers are over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import earliest_id
from portico_kit.storage.base import delete_batch
from server.common.records import Event, IdempotentAnswer
from server.common.times import EVENTS_KEPT


async def delete_answers(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes answers whose Idempotency-Key has expired."""
    expired = IdempotentAnswer.expires_at <= now
    return await delete_batch(db, IdempotentAnswer.scope, expired, limit)


async def delete_events(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes old events that were fanned out. One that was not is never lost."""
    over = (Event.id < earliest_id(now - EVENTS_KEPT)) & Event.fanned_out_at.is_not(None)
    return await delete_batch(db, Event.id, over, limit)
