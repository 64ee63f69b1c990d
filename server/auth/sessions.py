"""Sessions for the rest of the platform: does it hold, and end them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from server.auth.repository import SessionRepository, holding
from server.kit.batching import BatchLoader
from server.kit.clock import Clock


class Sessions:
    """Answers the access interceptor, at each call of a person."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._reads = engine.execution_options(isolation_level="AUTOCOMMIT")
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
        async with self._reads.connect() as connection:
            found = await holding(connection, session_ids, self._clock())
        return dict.fromkeys(found, True)
