"""When deliveries are over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from server.common.times import KEPT
from server.features.webhooks.delivery_queue import delete_ended


async def delete_deliveries(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes old deliveries that arrived or were given up."""
    return await delete_ended(db, now - KEPT, limit)
