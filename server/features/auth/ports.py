"""What sign-in needs of features that stand above it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


class PendingEmailChanges(Protocol):
    """Ends changes of an address that nobody has confirmed; the email_changes feature does."""

    async def end_pending(self, db: AsyncSession, user_id: UUID, now: datetime) -> None:
        """Ends the change that an account waits for."""
        ...


class LinkedIdentities(Protocol):
    """Keeps the accounts at providers with which people sign in; the connections feature does."""

    async def can_sign_in_again(self, user_id: UUID) -> bool:
        """Whether a person can show once more, in a session, that a provider knows them."""
        ...

    async def forget(self, db: AsyncSession, user_id: UUID) -> None:
        """Forgets all that are linked to an account."""
        ...
