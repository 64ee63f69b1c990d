"""What the workers clear away: sessions and tokens whose time is over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.base import delete_batch
from server.features.auth.models import OneTimeToken, RefreshToken, Session


async def delete_refresh_tokens(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes refresh tokens that have expired, and says how many.

    A used one stays until it would have expired: presented again, it still
    tells that somebody else has it.

    Args:
        limit: how many at the most.
    """
    return await delete_batch(db, RefreshToken.id, RefreshToken.expires_at <= now, limit)


async def delete_one_time_tokens(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes one-time tokens that have expired, and says how many; `limit` at the most."""
    return await delete_batch(db, OneTimeToken.id, OneTimeToken.expires_at <= now, limit)


async def delete_sessions(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes sessions that have expired, and says how many; `limit` at the most."""
    return await delete_batch(db, Session.id, Session.expires_at <= now, limit)
