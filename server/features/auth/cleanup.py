"""What the workers clear away: sessions and tokens whose time is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.base import delete_batch
from server.features.auth.models import (
    Challenge,
    OneTimeToken,
    RefreshToken,
    RememberedDevice,
    Session,
    SignInPlace,
)

# A device or a network that was not used for so long is new.
PLACES_KEPT = timedelta(days=180)


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


async def delete_challenges(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes challenges that have expired, and says how many; `limit` at the most."""
    return await delete_batch(db, Challenge.id, Challenge.expires_at <= now, limit)


async def delete_remembered_devices(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes remembered devices that have expired, and says how many; `limit` at the most."""
    return await delete_batch(db, RememberedDevice.id, RememberedDevice.expires_at <= now, limit)


async def delete_sign_in_places(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes devices and networks that were not used for long, and says how many.

    Args:
        limit: how many at the most.
    """
    key = (SignInPlace.user_id, SignInPlace.kind, SignInPlace.value_hash)
    unused = SignInPlace.last_seen_at <= now - PLACES_KEPT
    chosen = select(*key).where(unused).limit(limit).with_for_update(skip_locked=True)
    gone = await db.execute(
        delete(SignInPlace)
        .where(tuple_(*key).in_(chosen))
        .returning(SignInPlace.user_id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())
