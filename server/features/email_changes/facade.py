"""What other features ask about changes of an address; each in the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.features.email_changes.repository import EmailChangeRepository


class EmailChanges:
    """Keeps old addresses free for who can take them back, and ends what is pending."""

    async def is_reserved(self, db: AsyncSession, email: str, user_id: UUID, now: datetime) -> bool:
        """Whether somebody else's account can get this address back."""
        return await EmailChangeRepository(db).is_reserved(email, user_id, now)

    async def end_pending(self, db: AsyncSession, user_id: UUID, now: datetime) -> None:
        """Ends the change that an account waits for; the account is locked."""
        await EmailChangeRepository(db).end_pending(user_id, now)
