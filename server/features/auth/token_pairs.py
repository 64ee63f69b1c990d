"""The pair of tokens that a session lives by: an access token and a refresh token."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.jwt import TokenIssuer
from server.features.auth.authenticator import USER
from server.features.auth.models import Session
from server.features.auth.refresh_chain import RefreshTokens
from server.features.organizations.facade import Tenants

# Of a person who works in no organization.
OWN_TIER = "free"


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a client gets. Neither token is kept here."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


class TokenPairs:
    """Issues pairs of tokens."""

    def __init__(self, issuer: TokenIssuer, tenants: Tenants, tokens: RefreshTokens) -> None:
        self._issuer = issuer
        self._tenants = tenants
        self._tokens = tokens

    async def issue(self, db: AsyncSession, session: Session) -> TokenPair:
        """A pair for a session, which from here on works in an organization of the person.

        The refresh token is the newest one of the session. It is given out as often as
        somebody who did not get it asks for it.
        """
        access_token = await self.issue_access_token(db, session)
        number = session.refresh_counter
        refresh_token = self._tokens.token(session.id, session.refresh_seed, number)
        return TokenPair(access_token, refresh_token)

    async def issue_access_token(self, db: AsyncSession, session: Session) -> str:
        """A new access token for a session, which works in an organization of the person."""
        tier = await self._settle(db, session)
        return self._issuer.issue(
            kind=USER,
            subject=session.user_id,
            session_id=session.id,
            organization_id=session.organization_id,
            tier=tier,
        )

    async def _settle(self, db: AsyncSession, session: Session) -> str:
        """The tier of the session's organization; of the person's first one if they left it."""
        if session.organization_id is not None:
            tier = await self._tenants.member_tier(db, session.organization_id, session.user_id)
            if tier is not None:
                return tier
        session.organization_id = await self._tenants.default_organization(db, session.user_id)
        if session.organization_id is None:
            return OWN_TIER
        return await self._tenants.tier(db, session.organization_id) or OWN_TIER
