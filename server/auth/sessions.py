"""Sessions for the rest of the platform: does it hold, and end them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.auth.repository import HOLDING, SessionRepository
from server.kit.batching import BatchLoader
from server.kit.clock import Clock
from server.kit.reads import Reads


class Sessions:
    """Answers the access interceptor, at each call of a person."""

    def __init__(self, reads: Reads, clock: Clock) -> None:
        self._reads = reads
        self._clock = clock
        self._holding: BatchLoader[UUID, bool] = BatchLoader(self._fetch)

    async def lives(self, session_id: UUID) -> bool:
        """Whether the session holds and its person may use it."""
        return await self._holding.load(session_id) is not None

    async def end_all(
        self, db: AsyncSession, user_id: UUID, now: datetime, except_session: UUID | None = None
    ) -> None:
        """Ends every session of a person, but one if it is given."""
        await SessionRepository(db).revoke_all(user_id, now, except_session)

    async def _fetch(self, session_ids: Sequence[UUID]) -> Mapping[UUID, bool]:
        found = await self._reads.fetch(HOLDING, session_ids, now=self._clock())
        return {row.id: True for row in found}
