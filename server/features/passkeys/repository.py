"""The questions that are asked about passkeys, one query each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.passkeys.models import Passkey, UsedPasskeyChallenge


class PasskeyRepository:
    """Passkeys in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    async def add(self, passkey: Passkey) -> None:
        """Adds a new one.

        Raises:
            IntegrityError: if there is one with its credential id, whoever has it; the
                constraint becomes PASSKEY_ALREADY_REGISTERED.
        """
        self._db.add(passkey)
        await self._db.flush()

    async def list(self, user_id: UUID) -> Sequence[Passkey]:
        """A person's passkeys, oldest first."""
        query = select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.factor_id)
        return (await self._db.scalars(query)).all()

    async def find(self, credential_id: bytes) -> Passkey | None:
        """The passkey with this id, whoever has it."""
        return await self._db.scalar(select(Passkey).where(Passkey.credential_id == credential_id))

    async def lock(self, passkey: Passkey) -> Passkey | None:
        """The passkey as it is now; None if it was removed.

        No other call changes it before this one ends: two answers of one passkey are
        counted one after the other.
        """
        query = select(Passkey).where(Passkey.factor_id == passkey.factor_id).with_for_update()
        return await self._db.scalar(query.execution_options(populate_existing=True))

    async def use_challenge(self, challenge_hash: bytes, expires_at: datetime) -> bool:
        """Uses a challenge up; False if it was used before.

        One statement decides, and of two calls the second waits for the end of the first.
        """
        used = (
            insert(UsedPasskeyChallenge)
            .values(challenge_hash=challenge_hash, expires_at=expires_at)
            .on_conflict_do_nothing()
            .returning(UsedPasskeyChallenge.challenge_hash)
        )
        return await self._db.scalar(used) is not None
