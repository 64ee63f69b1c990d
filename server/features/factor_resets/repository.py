"""The questions that are asked about resets, one query each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.factor_resets.models import FactorReset

BATCH = 100


class FactorResetRepository:
    """Resets in the caller's transaction. Who changes one has locked the person's account."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, reset: FactorReset) -> None:
        """Adds a new reset."""
        self._db.add(reset)

    async def of_person(self, user_id: UUID) -> FactorReset | None:
        """The reset that is pending for a person."""
        query = select(FactorReset).where(FactorReset.user_id == user_id)
        return await self._db.scalar(query.execution_options(populate_existing=True))

    async def person_of(self, token_hash: bytes) -> UUID | None:
        """The person whose reset a token cancels; it may be over when it is looked at again."""
        query = select(FactorReset.user_id).where(FactorReset.token_hash == token_hash)
        return await self._db.scalar(query)

    async def people_due(self, now: datetime) -> Sequence[UUID]:
        """The people whose reset is due, those that wait longest first."""
        query = select(FactorReset.user_id).where(FactorReset.due_at <= now)
        return (await self._db.scalars(query.order_by(FactorReset.due_at).limit(BATCH))).all()

    async def delete(self, reset: FactorReset) -> None:
        """Deletes a reset: it is over."""
        await self._db.delete(reset)
        await self._db.flush()
