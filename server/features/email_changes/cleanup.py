"""When changes of an address are deleted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.base import delete_batch
from server.features.email_changes.models import EmailChange


async def delete_email_changes(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes changes whose links have expired, `limit` at the most, and returns how many."""
    return await delete_batch(db, EmailChange.id, EmailChange.expires_at <= now, limit)
