"""The use of a refresh token: whose it is, who is charged, and what becomes of the session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from portico_kit.call import Call
from portico_kit.errors import DomainError
from portico_kit.secrets import Secrets
from portico_kit.storage.reads import Reads
from portico_kit.storage.statements import Statements
from server.common.limiter import Limiter
from server.common.refresh_chain import PresentedToken, RefreshTokens, is_reused
from server.features.auth.errors import RefreshTokenInvalidError, RefreshTokenReusedError
from server.features.auth.models import IDLE_LIFETIME, REUSE_GRACE
from server.features.auth.notices import Notices
from server.features.auth.repository import (
    FORMER_OWNERS,
    FORMER_TOKENS,
    REFRESH,
    REFRESHABLE,
    SEEDS,
    SessionRepository,
)
from server.features.auth.session_ends import end_session
from server.features.auth.token_pairs import TokenPair, TokenPairs, TokenSource

# Of tokens of before 0.2.
FORMER_PURPOSE = "refresh-token"


@dataclass(frozen=True, slots=True)
class Found:
    """A token that we made, of a session that holds, as it was when it was looked up.

    Attributes:
        number: its place in the session's chain.
        reused: whether its successor has been used, so that somebody else has it, too.
        former_hash: of a token of before 0.2, what is kept of it.
    """

    session_id: UUID
    number: int
    reused: bool
    former_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """The session that a token is of, and the person whose session it is."""

    session_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class Refreshing:
    """Finds the sessions of refresh tokens and moves their chains on."""

    reads: Reads
    statements: Statements
    pairs: TokenPairs
    tokens: RefreshTokens
    secrets: Secrets
    limiter: Limiter
    notices: Notices

    async def use(self, refresh_token: str, call: Call) -> TokenPair:
        """The new pair; the session's newest token is now the successor of the one that was used.

        The rate limit service is asked before anything is locked: one that hangs keeps
        nobody else waiting. Only a token that is good now is charged to its session. An
        old one may be in anybody's hands, and must not use up what its holder needs; and
        one that is reused ends its session also when whoever pays has nothing left.

        Raises:
            RefreshTokenInvalidError: if the token is none of ours, or its session is over.
            RefreshTokenReusedError: if its successor was used. The session ends with it.
            RateLimitExceededError: if whoever pays has nothing left.
        """
        found = await self._look_up(refresh_token, call.now)
        if found is None or not found.reused:
            payer = found.session_id if found else None
            await self.limiter.charge_credential(payer, call.client.address)
        if found is None:
            raise RefreshTokenInvalidError
        source = None if found.reused else await self._move_on(found, call)
        if source is None:
            raise await self._refused(found, call)
        if source.tier is not None:
            return self.pairs.pair(source)
        # The person has left the organization, or is in none: the session goes to another.
        session = await SessionRepository(call.db).find(source.session_id, source.user_id, call.now)
        if session is None:
            raise RefreshTokenInvalidError
        return await self.pairs.issue(call.db, session)

    async def owner(self, refresh_token: str) -> Owner | None:
        """Whose token it is, whether it is good for anything else or not."""
        presented = self.tokens.read(refresh_token)
        if presented is None:
            return await self._owner_of_former(refresh_token)
        rows = await self.reads.fetch(SEEDS, [presented.owner_id])
        if not rows or not self.tokens.is_ours(presented, rows[0].refresh_seed):
            return None
        return Owner(rows[0].id, rows[0].user_id)

    async def _owner_of_former(self, refresh_token: str) -> Owner | None:
        token_hash = self.secrets.mac(FORMER_PURPOSE, refresh_token)
        rows = await self.reads.fetch(FORMER_OWNERS, [token_hash])
        return Owner(rows[0].session_id, rows[0].user_id) if rows else None

    async def _look_up(self, refresh_token: str, now: datetime) -> Found | None:
        presented = self.tokens.read(refresh_token)
        if presented is None:
            return await self._look_up_former(refresh_token, now)
        return await self._look_up_session(presented, now)

    async def _look_up_session(self, presented: PresentedToken, now: datetime) -> Found | None:
        rows = await self.reads.fetch(REFRESHABLE, [presented.owner_id], now=now)
        if not rows or not self.tokens.is_ours(presented, rows[0].refresh_seed):
            return None
        reused = is_reused(presented.number, rows[0].refresh_counter)
        return Found(presented.owner_id, presented.number, reused)

    async def _look_up_former(self, refresh_token: str, now: datetime) -> Found | None:
        token_hash = self.secrets.mac(FORMER_PURPOSE, refresh_token)
        rows = await self.reads.fetch(FORMER_TOKENS, [token_hash], now=now)
        if not rows:
            return None
        number = _place(rows[0], now)
        reused = number is None or is_reused(number, rows[0].refresh_counter)
        return Found(rows[0].session_id, number or 0, reused, token_hash)

    async def _move_on(self, found: Found, call: Call) -> TokenSource | None:
        if found.former_hash is not None:
            # Before the chain moves: a retry has to find the place that the token had.
            await SessionRepository(call.db).join_chain(found.former_hash, found.number, call.now)
        rows = await self.statements.run(
            REFRESH,
            session_id=found.session_id,
            successor=found.number + 1,
            now=call.now,
            idle_end=call.now + IDLE_LIFETIME,
        )
        return TokenSource(*rows[0]) if rows else None

    async def _refused(self, found: Found, call: Call) -> DomainError:
        """Why a token is refused that we made; ends the session if somebody else has it, too."""
        locked = await SessionRepository(call.db).lock(found.session_id)
        if locked is None or not locked.person_may_hold or not locked.session.holds(call.now):
            return RefreshTokenInvalidError()
        session = locked.session
        end_session(session, "refresh_token_reused", call, action="session.refresh_token_reused")
        await self.notices.refresh_token_reused(session, call)
        return RefreshTokenReusedError()


def _place(row: Any, now: datetime) -> int | None:
    """The place of a token of before 0.2 in its session's chain; None if it was used up then.

    There could be several of a session. Each joins as the parent of the token that is the
    newest when it is first used.
    """
    if row.chain_number is not None:
        return int(row.chain_number)
    if row.used_at is not None and row.used_at + REUSE_GRACE < now:
        return None
    return max(int(row.refresh_counter) - 1, 0)
