"""What people have shown in their sessions, and what they could show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from portico_kit.assurance import METHODS, Assurance, Authentication, assurance
from portico_kit.call import Call
from portico_kit.clock import Clock
from portico_kit.credentials import Withheld
from portico_kit.errors import UnauthenticatedError
from portico_kit.storage.reads import Reads
from server.features.auth.models import shown_in
from server.features.auth.repository import SHOWN, SessionRepository
from server.features.factors.facade import Factors
from server.features.organizations.facade import FactorDemand, Tenants
from server.features.users.facade import Accounts

RECOVERY_CODE = "recovery_code"


class SessionStandings:
    """Answers the interceptor that holds them against what a method asks for."""

    def __init__(
        self, reads: Reads, clock: Clock, accounts: Accounts, factors: Factors, tenants: Tenants
    ) -> None:
        self._reads = reads
        self._clock = clock
        self._accounts = accounts
        self._factors = factors
        self._tenants = tenants

    async def shown(self, session_id: UUID) -> Sequence[Authentication] | None:
        """What the person of a session has shown in it; None if there is no such session."""
        rows = await self._reads.fetch(SHOWN, [session_id], now=self._clock())
        return shown_in(rows[0].authentications, rows[0].created_at) if rows else None

    async def began(self, session_id: UUID) -> datetime | None:
        """When a session began; None if there is no such session."""
        rows = await self._reads.fetch(SHOWN, [session_id], now=self._clock())
        return rows[0].created_at if rows else None

    async def can_show(self, user_id: UUID, level: Assurance) -> Sequence[str]:
        """The methods with which a person can reach a level, sorted."""
        kinds = await self._factors.kinds(user_id)
        if level >= Assurance.PHISHING_RESISTANT:
            return [kind for kind in kinds if METHODS[kind].resists_phishing]
        if kinds:
            return sorted([*kinds, RECOVERY_CODE])
        account = await self._accounts.load(user_id)
        has_password = account is not None and account.password_hash is not None
        return ["password"] if has_password and level <= Assurance.AAL1 else []

    async def withheld(
        self, session_id: UUID, user_id: UUID, demands: Mapping[UUID, FactorDemand]
    ) -> Mapping[UUID, Withheld]:
        """The organizations that ask for more than the person of a session has shown in it.

        Args:
            demands: what is asked, now or some day, by organization.
        """
        now = self._clock()
        due = {each: demand for each, demand in demands.items() if demand.since <= now}
        if not due:
            return {}
        reached = assurance(await self.shown(session_id) or [])
        return {
            organization_id: await self._withheld(user_id, demand.level)
            for organization_id, demand in due.items()
            if reached < demand.level
        }

    async def _withheld(self, user_id: UUID, level: Assurance) -> Withheld:
        methods = await self.can_show(user_id, level)
        return Withheld("factor" if methods else "enrollment", level.acr, tuple(methods))

    async def asked_from(self, user_id: UUID) -> datetime | None:
        """From when on an organization asks for a factor that the person does not have."""
        rights = await self._tenants.member_rights(user_id)
        lacking = [
            demand.since
            for demand in rights.demands.values()
            if not await self.can_show(user_id, demand.level)
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
