"""The questions that are asked about device codes, one query each."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.statements import compiled
from server.features.oauth.models import StoredDeviceCode

# How much longer a device waits between two polls after each that came too early (RFC 8628,
# section 3.5).
SLOWER_SECONDS = 5
# A device that waits exactly as long as it should may be a little early here: the answer to
# its last poll took longer than the next poll does.
TOLERATED_SECONDS = 1


class DeviceCodeRepository:
    """Device codes in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    async def add(self, **columns: Any) -> bool:
        """Adds a device code; says whether its user code was free."""
        adding = (
            insert(StoredDeviceCode)
            .values(**columns)
            .on_conflict_do_nothing(index_elements=[StoredDeviceCode.user_code_hash])
            .returning(StoredDeviceCode.id)
        )
        return await self._db.scalar(adding) is not None

    async def find(
        self, user_code_hash: bytes, user_id: UUID, now: datetime
    ) -> StoredDeviceCode | None:
        """The device code of a user code, unless somebody else has decided about it."""
        query = select(StoredDeviceCode).where(
            StoredDeviceCode.user_code_hash == user_code_hash,
            StoredDeviceCode.expires_at > now,
            or_(StoredDeviceCode.user_id.is_(None), StoredDeviceCode.user_id == user_id),
        )
        return await self._db.scalar(query)

    async def lock(self, device_code: StoredDeviceCode) -> None:
        """Reads a device code once more, and keeps everybody else from changing it."""
        await self._db.refresh(device_code, with_for_update=True)


def _seconds(number: Any) -> Any:
    return func.make_interval(0, 0, 0, 0, 0, 0, number)


_attempt = bindparam("attempt", type_=StoredDeviceCode.polled_by.type)
_now = bindparam("now", type_=StoredDeviceCode.next_poll_at.type)
_again = and_(StoredDeviceCode.polled_by.is_not(None), StoredDeviceCode.polled_by == _attempt)
_early = StoredDeviceCode.next_poll_at > _now + _seconds(TOLERATED_SECONDS)

# Notes that the device whose code has the hash `code_hash` polls, and gives how far it is; no row
# if there is none of this application.
#
# Who polls too early has a longer interval from then on. It may be sent twice by the call
# `attempt`: the second time it changes nothing.
POLL = compiled(
    update(StoredDeviceCode)
    .where(
        StoredDeviceCode.code_hash == bindparam("code_hash"),
        StoredDeviceCode.application_id == bindparam("application_id"),
    )
    .values(
        polled_by=_attempt,
        polled_early=case((_again, StoredDeviceCode.polled_early), else_=_early),
        interval_seconds=StoredDeviceCode.interval_seconds
        + case((and_(~_again, _early), SLOWER_SECONDS), else_=0),
        next_poll_at=case(
            (_again, StoredDeviceCode.next_poll_at),
            (_early, StoredDeviceCode.next_poll_at + _seconds(SLOWER_SECONDS)),
            else_=_now + _seconds(StoredDeviceCode.interval_seconds),
        ),
    )
    .returning(
        StoredDeviceCode.user_id,
        StoredDeviceCode.authorization_id,
        StoredDeviceCode.used_by,
        StoredDeviceCode.expires_at,
        StoredDeviceCode.polled_early,
    )
)
