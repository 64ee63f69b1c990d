"""When enrollments that nobody finished are deleted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.base import delete_batch
from server.features.factors.models import TotpEnrollment


async def delete_totp_enrollments(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes enrollments that have expired, `limit` at the most, and returns how many."""
    return await delete_batch(db, TotpEnrollment.user_id, TotpEnrollment.expires_at <= now, limit)
