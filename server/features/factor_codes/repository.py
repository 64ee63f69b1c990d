"""The questions that are asked about codes, one query each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.factor_codes.models import MOST_TRIES, RESEND_AFTER, SentCode, SmsFactor


@dataclass(frozen=True, slots=True)
class CodeSubject:
    """What a code is for.

    Attributes:
        purpose: "challenge" or "enrollment".
        id: of the challenge; of an enrollment, the person's.
        method: "email" or "sms".
    """

    purpose: str
    id: UUID
    method: str


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code to keep.

    Attributes:
        sealed_number: the number that is being enrolled, if one is.
    """

    id: UUID
    code_hash: bytes = field(repr=False)
    sealed_number: bytes | None = field(repr=False)
    sent_at: datetime
    expires_at: datetime


class CodeRepository:
    """Codes and numbers in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    async def replace(self, subject: CodeSubject, code: NewCode, *, at_once: bool) -> bool:
        """Keeps a code in place of the one before; False if that was sent a moment ago.

        One statement decides, so of a thousand at once one is kept.

        Args:
            at_once: whether it does not matter when the one before was sent.
        """
        values = {
            "id": code.id,
            "code_hash": code.code_hash,
            "sealed_number": code.sealed_number,
            "tries": 0,
            "sent_at": code.sent_at,
            "expires_at": code.expires_at,
            "used_at": None,
        }
        key = {"purpose": subject.purpose, "subject_id": subject.id, "method": subject.method}
        long_ago = SentCode.sent_at <= code.sent_at - RESEND_AFTER
        kept = (
            insert(SentCode)
            .values(**key, **values)
            .on_conflict_do_update(
                index_elements=list(key),
                set_=values,
                where=None if at_once else or_(long_ago, SentCode.used_at.is_not(None)),
            )
            .returning(SentCode.id)
        )
        return await self._db.scalar(kept) is not None

    async def sent_at(self, subject: CodeSubject) -> datetime | None:
        """When the newest code was sent."""
        return await self._db.scalar(select(SentCode.sent_at).where(_is_for(subject)))

    async def find(self, subject: CodeSubject, now: datetime) -> SentCode | None:
        """The newest code, if it can still be used."""
        return await self._db.scalar(select(SentCode).where(_usable(subject, now)))

    async def use(self, subject: CodeSubject, code_hash: bytes, now: datetime) -> UUID | None:
        """Uses the code up and returns its id; None counts a wrong try, or there is none.

        One statement decides: of twenty calls with the right code one is right, and of a
        thousand with others five are looked at.
        """
        right = SentCode.code_hash == code_hash
        tried = (
            update(SentCode)
            .where(_usable(subject, now))
            .values(tries=SentCode.tries + 1, used_at=case((right, now), else_=null()))
            .returning(SentCode.id, SentCode.used_at)
            .execution_options(synchronize_session=False)
        )
        row = (await self._db.execute(tried)).one_or_none()
        return row.id if row is not None and row.used_at is not None else None

    def add_number(self, factor_id: UUID, sealed_number: bytes) -> None:
        """Adds the number of a new factor."""
        self._db.add(SmsFactor(factor_id=factor_id, sealed_number=sealed_number))

    async def number(self, factor_ids: Collection[UUID]) -> SmsFactor | None:
        """The newest number of these factors."""
        query = select(SmsFactor).where(SmsFactor.factor_id.in_(factor_ids))
        return await self._db.scalar(query.order_by(SmsFactor.factor_id.desc()).limit(1))


def _is_for(subject: CodeSubject) -> ColumnElement[bool]:
    return and_(
        SentCode.purpose == subject.purpose,
        SentCode.subject_id == subject.id,
        SentCode.method == subject.method,
    )


def _usable(subject: CodeSubject, now: datetime) -> ColumnElement[bool]:
    return and_(
        _is_for(subject),
        SentCode.used_at.is_(None),
        SentCode.tries < MOST_TRIES,
        SentCode.expires_at > now,
    )
