"""When text messages are over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import earliest_id
from portico_kit.storage.base import delete_batch
from server.common.times import KEPT
from server.features.sms.models import TextMessage


async def delete_text_messages(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes old text messages that were sent or given up."""
    over = (TextMessage.id < earliest_id(now - KEPT)) & TextMessage.next_attempt_at.is_(None)
    return await delete_batch(db, TextMessage.id, over, limit)
