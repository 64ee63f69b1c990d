"""The queries about changes of an address."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.email_changes.models import EmailChange
from server.features.users.facade import has_account


class EmailChangeRepository:
    """Changes of addresses in the caller's transaction. Who writes has locked the account."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, change: EmailChange) -> None:
        """Adds a new change."""
        self._db.add(change)

    async def find_by_confirm_token(self, token_hash: bytes) -> EmailChange | None:
        """The change that a link confirms."""
        return await self._find(EmailChange.confirm_token_hash == token_hash)

    async def find_by_revert_token(self, token_hash: bytes) -> EmailChange | None:
        """The change that a link takes back."""
        return await self._find(EmailChange.revert_token_hash == token_hash)

    async def end_pending(self, user_id: UUID, now: datetime) -> None:
        """Ends the change that an account waits for."""
        await self._end(
            and_(EmailChange.user_id == user_id, EmailChange.confirmed_at.is_(None)), now
        )

    async def end_from(self, change: EmailChange, now: datetime) -> None:
        """Ends a change and those that came after it; what came before can be taken back still."""
        later = EmailChange.account_version >= change.account_version
        await self._end(and_(EmailChange.user_id == change.user_id, later), now)

    async def is_reserved(self, email: str, user_id: UUID, now: datetime) -> bool:
        """Whether somebody else's account can get this address back."""
        revertible = exists().where(
            EmailChange.old_email == email,
            EmailChange.user_id != user_id,
            EmailChange.ended_at.is_(None),
            EmailChange.expires_at > now,
            has_account(EmailChange.user_id),
        )
        return bool(await self._db.scalar(select(revertible)))

    async def _find(self, condition: ColumnElement[bool]) -> EmailChange | None:
        # As it is now: it is asked for again when its account is locked.
        query = select(EmailChange).where(condition)
        return await self._db.scalar(query.execution_options(populate_existing=True))

    async def _end(self, condition: ColumnElement[bool], now: datetime) -> None:
        ended = update(EmailChange).where(condition, EmailChange.ended_at.is_(None))
        await self._db.execute(ended.values(ended_at=now))
