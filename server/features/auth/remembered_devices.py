"""Devices on which a person is not asked for a second factor.

It is a convenience and worth no factor: the session of such a sign-in has one, and what
asks for two asks there as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import new_id
from server.features.auth.models import REMEMBERED_FOR, RememberedDevice, Session
from server.features.organizations.facade import allows_remembered_devices

# More than these are not listed; the oldest are forgotten first.
MOST = 100


class RememberedDeviceRepository:
    """Remembered devices in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    async def is_good(self, user_id: UUID, device_hash: bytes, now: datetime) -> bool:
        """Whether a device is remembered, and every organization of the person lets it be."""
        remembered = exists().where(
            RememberedDevice.user_id == user_id,
            RememberedDevice.device_hash == device_hash,
            RememberedDevice.expires_at > now,
        )
        allowed = allows_remembered_devices(literal(user_id))
        return bool(await self._db.scalar(select(remembered & allowed)))

    async def may_be(self, user_id: UUID) -> bool:
        """Whether every organization of the person lets devices be remembered."""
        return bool(await self._db.scalar(select(allows_remembered_devices(literal(user_id)))))

    async def remember(
        self, user_id: UUID, device_hash: bytes, user_agent: str, address: str, now: datetime
    ) -> UUID:
        """Remembers a device, or remembers it for longer; gives the id of its row."""
        values = {
            "user_agent": user_agent,
            "ip_address": address,
            "created_at": now,
            "expires_at": now + REMEMBERED_FOR,
        }
        row = insert(RememberedDevice).values(
            id=new_id(), user_id=user_id, device_hash=device_hash, **values
        )
        again = row.on_conflict_do_update(index_elements=["user_id", "device_hash"], set_=values)
        found = await self._db.execute(again.returning(RememberedDevice.id))
        return found.scalar_one()

    async def list(
        self, user_id: UUID, session_id: UUID | None, now: datetime
    ) -> Sequence[tuple[RememberedDevice, bool]]:
        """A person's devices, newest first, and whether a session is on each."""
        is_there = exists().where(
            Session.id == session_id, Session.device_hash == RememberedDevice.device_hash
        )
        query = select(RememberedDevice, is_there).where(
            RememberedDevice.user_id == user_id, RememberedDevice.expires_at > now
        )
        newest_first = query.order_by(RememberedDevice.created_at.desc(), RememberedDevice.id)
        found = await self._db.execute(newest_first.limit(MOST))
        return [(device, current) for device, current in found]

    async def trim(self, user_id: UUID) -> None:
        """Forgets all but the newest of a person's devices."""
        oldest = (
            select(RememberedDevice.id)
            .where(RememberedDevice.user_id == user_id)
            .order_by(RememberedDevice.created_at.desc(), RememberedDevice.id)
            .offset(MOST)
        )
        await self._delete(RememberedDevice.id.in_(oldest))

    async def forget(self, user_id: UUID, device_id: UUID) -> bool:
        """Forgets one of a person's devices; False if there is none."""
        gone = delete(RememberedDevice).where(
            RememberedDevice.user_id == user_id, RememberedDevice.id == device_id
        )
        found = await self._db.execute(gone.returning(RememberedDevice.id))
        return found.one_or_none() is not None

    async def forget_device(self, user_id: UUID, device_hash: bytes) -> None:
        """Forgets a person's device by its hash."""
        await self._delete(
            (RememberedDevice.user_id == user_id) & (RememberedDevice.device_hash == device_hash)
        )

    async def forget_all(self, user_id: UUID) -> None:
        """Forgets all of a person's devices."""
        await self._delete(RememberedDevice.user_id == user_id)

    async def _delete(self, which: ColumnElement[bool]) -> None:
        gone = delete(RememberedDevice).where(which)
        await self._db.execute(gone.execution_options(synchronize_session=False))


class DeviceMemory:
    """What `server.features.factors.ports.DeviceMemory` asks for."""

    async def forget_all(self, db: AsyncSession, user_id: UUID) -> None:
        """Forgets all of a person's devices."""
        await RememberedDeviceRepository(db).forget_all(user_id)
