"""Showing something once more in a session that there is."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico_kit.assurance import Authentication
from portico_kit.call import Call
from server.features.auth.authenticator import acting_person
from server.features.auth.messages import TokenFields, token_fields
from server.features.auth.repository import SessionRepository
from server.features.auth.token_pairs import TokenPair, TokenPairs


@dataclass(frozen=True, slots=True)
class SessionStepUp:
    """Notes in a session what was shown, and issues tokens that say so."""

    pairs: TokenPairs

    async def show(
        self, session_id: UUID, user_id: UUID, shown: Authentication, call: Call
    ) -> TokenPair | None:
        """New tokens of the session; None if it has ended."""
        session = await SessionRepository(call.db).find(session_id, user_id, call.now)
        if session is None:
            return None
        session.show(shown)
        session.start_chain()
        call.record(
            "session.stepped_up",
            target_id=session.id,
            details={"method": shown.method},
            actor=acting_person(user_id, session.id),
        )
        return await self.pairs.issue(call.db, session)

    async def fields(
        self, session_id: UUID, user_id: UUID, shown: Authentication, call: Call
    ) -> TokenFields | None:
        """The same as an answer of the contract has them, for features above this one."""
        pair = await self.show(session_id, user_id, shown, call)
        return token_fields(pair) if pair is not None else None
