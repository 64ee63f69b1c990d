"""What people have shown in their sessions, and what they could show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from uuid import UUID

from portico_kit.assurance import Assurance, Authentication, assurance, reaching
from portico_kit.call import Call
from portico_kit.clock import Clock
from portico_kit.credentials import Withheld
from portico_kit.errors import UnauthenticatedError
from portico_kit.storage.reads import Reads
from server.features.auth.candidates import Candidates
from server.features.auth.models import shown_in
from server.features.auth.repository import SHOWN, SessionRepository
from server.features.organizations.facade import FactorDemand, Tenants, level_due
from server.features.users.facade import Accounts


class SessionStandings:
    """Answers the interceptor that holds them against what a method asks for."""

    def __init__(
        self,
        reads: Reads,
        clock: Clock,
        accounts: Accounts,
        candidates: Candidates,
        tenants: Tenants,
    ) -> None:
        self._reads = reads
        self._clock = clock
        self._accounts = accounts
        self._candidates = candidates
        self._tenants = tenants

    async def shown(self, session_id: UUID) -> Sequence[Authentication] | None:
        """What the person of a session has shown in it; None if there is no such session."""
        rows = await self._reads.fetch(SHOWN, [session_id], now=self._clock())
        return shown_in(rows[0].authentications, rows[0].created_at) if rows else None

    async def began(self, session_id: UUID) -> datetime | None:
        """When a session began; None if there is no such session."""
        rows = await self._reads.fetch(SHOWN, [session_id], now=self._clock())
        return rows[0].created_at if rows else None

    async def can_show(
        self, user_id: UUID, shown: Sequence[Authentication], level: Assurance
    ) -> Sequence[str]:
        """The methods with which a person can reach a level, sorted.

        Args:
            shown: what they have shown already.
        """
        account = await self._accounts.load(user_id)
        if account is None:
            return []
        candidates = await self._candidates.of(account, shown, self._clock())
        return reaching(candidates, shown, level)

    async def can_reach(self, session_id: UUID, user_id: UUID, level: Assurance) -> bool:
        """Whether the person of a session can reach a level in it, or has."""
        shown = await self.shown(session_id) or []
        return assurance(shown) >= level or bool(await self.can_show(user_id, shown, level))

    async def withheld(
        self, session_id: UUID, user_id: UUID, demands: Mapping[UUID, Sequence[FactorDemand]]
    ) -> Mapping[UUID, Withheld]:
        """The organizations that ask for more than the person of a session has shown in it.

        Args:
            demands: what is asked, now or some day, by organization.
        """
        now = self._clock()
        due = {
            organization_id: level
            for organization_id, asked in demands.items()
            if (level := level_due(asked, now)) > Assurance.NONE
        }
        if not due:
            return {}
        shown = await self.shown(session_id) or []
        reached = assurance(shown)
        return {
            organization_id: await self._withheld(user_id, shown, level)
            for organization_id, level in due.items()
            if reached < level
        }

    async def _withheld(
        self, user_id: UUID, shown: Sequence[Authentication], level: Assurance
    ) -> Withheld:
        methods = await self.can_show(user_id, shown, level)
        return Withheld("factor" if methods else level.way_out, level.acr, tuple(methods))

    async def asked_from(self, user_id: UUID, shown: Sequence[Authentication]) -> datetime | None:
        """From when on an organization asks for more than the person has shown and can show."""
        rights = await self._tenants.member_rights(user_id)
        lacking = [
            demand.since
            for demand in chain.from_iterable(rights.demands.values())
            if assurance(shown) < demand.level
            and not await self.can_show(user_id, shown, demand.level)
        ]
        return min(lacking, default=None)


class SessionNotes:
    """Notes what is shown in a session after it began."""

    async def note(self, session_id: UUID, shown: Authentication, call: Call) -> None:
        """Adds it to what was shown before.

        Raises:
            UnauthenticatedError: if the session has ended.
        """
        session = await SessionRepository(call.db).find(session_id, call.user_id, call.now)
        if session is None:
            raise UnauthenticatedError
        session.show(shown)
