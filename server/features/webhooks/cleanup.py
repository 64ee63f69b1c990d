"""When deliveries, statistics and replays are over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.base import delete_batch
from server.common.times import KEPT
from server.features.webhooks.delivery_queue import delete_ended
from server.features.webhooks.models import WebhookStatistics
from server.features.webhooks.replays.models import Replay


async def delete_deliveries(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes old deliveries that arrived or were given up."""
    return await delete_ended(db, now - KEPT, limit)


async def delete_statistics(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes what is counted of attempts that were made long ago."""
    key = WebhookStatistics.webhook_id, WebhookStatistics.started_at
    old = select(*key).where(WebhookStatistics.started_at < now - KEPT).limit(limit)
    deletion = delete(WebhookStatistics).where(
        tuple_(*key).in_(old.with_for_update(skip_locked=True))
    )
    gone = await db.scalars(deletion.returning(key[0]).execution_options(synchronize_session=False))
    return len(gone.all())


async def delete_replays(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes replays that ended a while ago."""
    return await delete_batch(db, Replay.id, Replay.ended_at <= now - KEPT, limit)
