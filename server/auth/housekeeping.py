"""What the workers clear away: sessions and tokens whose time is over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CursorResult, delete
from sqlalchemy.ext.asyncio import AsyncSession

from server.auth.models import OneTimeToken, RefreshToken, Session

_TABLES = (RefreshToken, OneTimeToken, Session)


async def delete_expired(db: AsyncSession, now: datetime) -> dict[str, int]:
    """Deletes what has expired, and says how many rows of each table.

    A used refresh token stays until it would have expired: presented again, it
    still tells that somebody else has it. The caller commits.
    """
    deleted = {}
    for table in _TABLES:
        result = await db.execute(delete(table).where(table.expires_at <= now))
        assert isinstance(result, CursorResult)
        deleted[table.__tablename__] = result.rowcount
    return deleted
