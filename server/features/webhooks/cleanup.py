"""When deliveries and replays are over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.base import delete_batch
from server.common.times import KEPT
from server.features.webhooks.delivery_queue import delete_ended
from server.features.webhooks.replays.models import Replay


async def delete_deliveries(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes old deliveries that arrived or were given up."""
    return await delete_ended(db, now - KEPT, limit)


async def delete_replays(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes replays that ended a while ago."""
    return await delete_batch(db, Replay.id, Replay.ended_at <= now - KEPT, limit)
