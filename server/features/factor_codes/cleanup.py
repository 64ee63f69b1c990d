"""When codes are deleted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.base import delete_batch
from server.features.factor_codes.models import SentCode


async def delete_codes(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes codes that have expired, `limit` at the most, and returns how many."""
    return await delete_batch(db, SentCode.id, SentCode.expires_at <= now, limit)
