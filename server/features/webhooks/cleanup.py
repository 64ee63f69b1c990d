"""When deliveries are over."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from server.features.webhooks.delivery_queue import delete_ended

KEPT = timedelta(days=30)


async def delete_deliveries(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes old deliveries that arrived or were given up."""
    return await delete_ended(db, now - KEPT, limit)
