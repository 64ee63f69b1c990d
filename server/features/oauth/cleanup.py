"""What the workers clear away: what no token can come of any more."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, exists, or_
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.base import delete_batch
from server.features.applications.facade import (
    APPLICATION_ID,
    application_exists,
    is_unused_registration,
)
from server.features.auth.facade import session_lasts
from server.features.oauth.models import (
    StoredAuthorization,
    StoredCode,
    StoredDeviceCode,
    StoredGrant,
    StoredLogout,
)
from server.features.organizations.facade import is_alive
from server.features.users.facade import has_account

# A code that comes again within this time ends what it gave.
CODES_KEPT = timedelta(hours=1)
REVOKED_KEPT = timedelta(days=1)
# No session lasts for so long, and nobody waits for a call so long.
LOGOUTS_KEPT = timedelta(days=31)


async def delete_codes(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes codes whose time is over, `limit` at the most, and returns how many."""
    return await delete_batch(
        db, StoredCode.code_hash, StoredCode.expires_at <= now - CODES_KEPT, limit
    )


async def delete_device_codes(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes device codes whose time is over, `limit` at the most, and returns how many.

    Until then a device that goes on polling hears why it gets nothing.
    """
    over = StoredDeviceCode.expires_at <= now - CODES_KEPT
    return await delete_batch(db, StoredDeviceCode.id, over, limit)


async def delete_logouts(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes what is left of sign-ins of long ago, and returns how many there were.

    Args:
        limit: how many at the most.
    """
    over = StoredLogout.created_at <= now - LOGOUTS_KEPT
    return await delete_batch(db, StoredLogout.id, over, limit)


async def delete_authorizations(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes authorizations that have ended, in any way, and returns how many.

    Args:
        limit: how many at the most.
    """
    over = or_(
        StoredAuthorization.expires_at <= now,
        StoredAuthorization.ended_at.is_not(None),
        and_(
            ~StoredAuthorization.offline,
            ~session_lasts(StoredAuthorization.session_id, bindparam("now", now)),
        ),
    )
    return await delete_batch(db, StoredAuthorization.id, over, limit)


async def delete_grants(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes grants that were revoked, or of a person, an application or an organization gone.

    What came of them goes with them.

    Args:
        limit: how many at the most.
    """
    gone = or_(
        StoredGrant.revoked_at <= now - REVOKED_KEPT,
        ~has_account(StoredGrant.user_id),
        ~application_exists(StoredGrant.application_id),
        and_(StoredGrant.organization_id.is_not(None), ~is_alive(StoredGrant.organization_id)),
    )
    return await delete_batch(db, StoredGrant.id, gone, limit)


async def delete_registrations(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes applications that came by themselves and that nobody uses; returns how many.

    Args:
        limit: how many at the most.
    """
    used = exists().where(StoredGrant.application_id == APPLICATION_ID)
    return await delete_batch(
        db, APPLICATION_ID, is_unused_registration(used, bindparam("now", now)), limit
    )
