"""Sessions for the rest of the platform: does it hold, and whose is it; end them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.batching import BatchLoader
from portico_kit.clock import Clock
from portico_kit.storage.reads import Reads
from server.features.auth.repository import HOLDING, SessionRepository
from server.features.users.facade import Account, account


class Sessions:
    """Answers the access interceptor, at each call of a person."""

    def __init__(self, reads: Reads, clock: Clock) -> None:
        self._reads = reads
        self._clock = clock
        self._holding: BatchLoader[UUID, Account] = BatchLoader(self._fetch)

    async def person(self, session_id: UUID) -> Account | None:
        """The person's account, if the session holds and the person may use it."""
        return await self._holding.load(session_id)

    async def end_all(
        self, db: AsyncSession, user_id: UUID, now: datetime, except_session: UUID | None = None
    ) -> None:
        """Ends every session of a person, but one if it is given."""
        await SessionRepository(db).revoke_all(user_id, now, except_session)

    async def _fetch(self, session_ids: Sequence[UUID]) -> Mapping[UUID, Account]:
        found = await self._reads.fetch(HOLDING, session_ids, now=self._clock())
        return {row[0]: account(row[1:]) for row in found}
