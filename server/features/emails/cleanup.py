"""When mails are over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import earliest_id
from portico_kit.storage.base import delete_batch
from server.common.times import KEPT
from server.features.emails.models import Email


async def delete_emails(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes old mails that were sent or given up."""
    over = (Email.id < earliest_id(now - KEPT)) & Email.next_attempt_at.is_(None)
    return await delete_batch(db, Email.id, over, limit)
