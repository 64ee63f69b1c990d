"""When cursors are over."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from server.features.events.repository import delete_cursors_before

# Long after the events that a cursor could go on with are gone.
CURSORS_KEPT = timedelta(days=365)


async def delete_cursors(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes cursors that nobody has saved for a year."""
    return await delete_cursors_before(db, now - CURSORS_KEPT, limit)
