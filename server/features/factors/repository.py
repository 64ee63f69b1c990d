"""The questions that are asked about factors, one query each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.reads import keyed_query
from server.features.factors.models import (
    MOST_FAILURES,
    Factor,
    RecoveryCode,
    TotpEnrollment,
    TotpSecret,
)

# What kinds of factors people have that can be shown.
KINDS = keyed_query(
    select(Factor.user_id, Factor.kind).where(Factor.failures < MOST_FAILURES).distinct(),
    Factor.user_id,
)
# Who has recovery codes left.
WITH_RECOVERY_CODES = keyed_query(select(RecoveryCode.user_id).distinct(), RecoveryCode.user_id)


class FactorRepository:
    """Factors in the caller's transaction. Who adds or removes one has locked the account."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, *rows: Factor | TotpSecret) -> None:
        """Adds new rows."""
        self._db.add_all(rows)

    async def list(self, user_id: UUID) -> Sequence[Factor]:
        """A person's factors, oldest first."""
        query = select(Factor).where(Factor.user_id == user_id).order_by(Factor.id)
        return (await self._db.scalars(query)).all()

    async def find(self, factor_id: UUID, user_id: UUID) -> Factor | None:
        """One of a person's factors; locked."""
        query = select(Factor).where(Factor.id == factor_id, Factor.user_id == user_id)
        return await self._db.scalar(query.with_for_update())

    async def kinds(self, user_id: UUID) -> Sequence[str]:
        """The kinds of a person's factors."""
        query = select(Factor.kind).where(Factor.user_id == user_id).distinct()
        return (await self._db.scalars(query)).all()

    async def delete(self, factor: Factor) -> None:
        """Deletes a factor, with the details that its kind keeps."""
        await self._db.delete(factor)
        await self._db.flush()

    async def delete_all(self, user_id: UUID) -> None:
        """Deletes all factors and recovery codes of a person."""
        await self._db.execute(delete(Factor).where(Factor.user_id == user_id))
        await self.delete_recovery_codes(user_id)
        await self._db.execute(delete(TotpEnrollment).where(TotpEnrollment.user_id == user_id))

    async def note_use(self, factor_id: UUID, now: datetime) -> None:
        """Notes that a factor was shown."""
        used = update(Factor).where(Factor.id == factor_id).values(last_used_at=now, failures=0)
        await self._db.execute(used)

    async def note_failure(self, user_id: UUID, kind: str) -> None:
        """Counts a wrong answer against a person's factors of a kind."""
        of_kind = update(Factor).where(Factor.user_id == user_id, Factor.kind == kind)
        await self._db.execute(of_kind.values(failures=Factor.failures + 1))

    async def totp_secrets(self, user_id: UUID) -> Sequence[TotpSecret]:
        """The secrets of a person's apps, oldest first."""
        query = select(TotpSecret).join(Factor, Factor.id == TotpSecret.factor_id)
        usable = query.where(Factor.user_id == user_id, Factor.failures < MOST_FAILURES)
        return (await self._db.scalars(usable.order_by(Factor.id))).all()

    async def use_step(self, factor_id: UUID, step: int) -> bool:
        """Uses up the code of a time step; False if it or a later one was used before.

        One statement decides, so of two calls with one code the second finds it used.
        """
        used = (
            update(TotpSecret)
            .where(TotpSecret.factor_id == factor_id, TotpSecret.last_step < step)
            .values(last_step=step)
            .returning(TotpSecret.factor_id)
            .execution_options(synchronize_session=False)
        )
        return await self._db.scalar(used) is not None

    async def begin_enrollment(self, user_id: UUID, sealed: bytes, expires_at: datetime) -> None:
        """Keeps the secret of a person's new app, in place of one from before."""
        values = {"sealed_secret": sealed, "expires_at": expires_at}
        row = insert(TotpEnrollment).values(user_id=user_id, **values)
        await self._db.execute(
            row.on_conflict_do_update(index_elements=[TotpEnrollment.user_id], set_=values)
        )

    async def enrollment(self, user_id: UUID, now: datetime) -> TotpEnrollment | None:
        """The secret of a person's new app; locked, so that it is enrolled once."""
        query = select(TotpEnrollment).where(
            TotpEnrollment.user_id == user_id, TotpEnrollment.expires_at > now
        )
        return await self._db.scalar(query.with_for_update())

    async def end_enrollment(self, enrollment: TotpEnrollment) -> None:
        """Forgets it."""
        await self._db.delete(enrollment)

    async def replace_recovery_codes(
        self, user_id: UUID, hashes: Iterable[bytes], now: datetime
    ) -> None:
        """Puts new codes in the place of the old ones."""
        await self.delete_recovery_codes(user_id)
        self._db.add_all(
            RecoveryCode(user_id=user_id, code_hash=each, created_at=now) for each in hashes
        )

    async def delete_recovery_codes(self, user_id: UUID) -> None:
        """Makes a person's codes void."""
        await self._db.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))

    async def delete_recovery_codes_since(self, user_id: UUID, moment: datetime) -> None:
        """Makes those of a person's codes void that were made from a moment on."""
        since = RecoveryCode.created_at >= moment
        await self._db.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id, since))

    async def recovery_codes_left(self, user_id: UUID) -> int:
        """How many codes a person has."""
        query = select(func.count()).where(RecoveryCode.user_id == user_id)
        return await self._db.scalar(query) or 0

    async def use_recovery_code(self, user_id: UUID, code_hash: bytes) -> bool:
        """Uses a code up; False if the person has no such one."""
        used = (
            delete(RecoveryCode)
            .where(RecoveryCode.user_id == user_id, RecoveryCode.code_hash == code_hash)
            .returning(RecoveryCode.user_id)
        )
        return await self._db.scalar(used) is not None
