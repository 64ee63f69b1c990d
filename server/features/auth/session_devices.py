"""The devices of sessions, for what asks for the password again."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.reads import Reads
from server.features.auth.places import PlaceRepository
from server.features.auth.repository import DEVICE


class SessionDevices:
    """What `server.features.users.ports.SessionDevices` asks for."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def device(self, session_id: UUID) -> bytes:
        """What tells the device of a session from all others; the session itself if it has none."""
        rows = await self._reads.fetch(DEVICE, [session_id])
        device_hash: bytes | None = rows[0].device_hash if rows else None
        return device_hash or session_id.bytes

    async def forget_places(self, db: AsyncSession, user_id: UUID) -> None:
        """Forgets every device and network of a person."""
        await PlaceRepository(db).forget(user_id)
