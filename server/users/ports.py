"""What accounts need of features that stand above them; `wiring` brings it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


class SessionEnder(Protocol):
    """Ends sessions; the auth feature does."""

    async def end_all(
        self, db: AsyncSession, user_id: UUID, now: datetime, except_session: UUID | None = None
    ) -> None:
        """Ends every session of a person, but one if it is given."""
        ...


class PasswordTokens(Protocol):
    """Issues the tokens with which a password is chosen, and ends them; the auth feature does."""

    async def issue(
        self, db: AsyncSession, user_id: UUID, kind: Literal["reset_password"], now: datetime
    ) -> str:
        """A token that goes into a mail."""
        ...

    async def use_all(self, db: AsyncSession, user_id: UUID, now: datetime) -> None:
        """Uses up every link that the person was sent."""
        ...


class Ownerships(Protocol):
    """Knows who belongs where and owns what; the organizations feature does."""

    async def is_last_owner(self, db: AsyncSession, user_id: UUID) -> bool:
        """Whether an organization would be left without an owner."""
        ...

    async def end_memberships(self, db: AsyncSession, user_id: UUID) -> None:
        """Takes a person out of every organization."""
        ...
