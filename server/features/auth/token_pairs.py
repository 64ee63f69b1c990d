"""The pair of tokens that a session lives by: an access token and a refresh token."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import new_id
from portico_kit.jwt import TokenIssuer
from portico_kit.secrets import Secrets
from portico_kit.tokens import new_token
from server.features.auth.authenticator import USER
from server.features.auth.models import RefreshToken, Session
from server.features.auth.repository import SessionRepository
from server.features.organizations.facade import Tenants

PURPOSE = "refresh-token"
# Of a person who works in no organization.
OWN_TIER = "free"


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a client gets. Neither token is kept here."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


class TokenPairs:
    """Issues pairs of tokens."""

    def __init__(self, issuer: TokenIssuer, tenants: Tenants, secrets: Secrets) -> None:
        self._issuer = issuer
        self._tenants = tenants
        self._secrets = secrets

    async def issue(self, db: AsyncSession, session: Session, now: datetime) -> TokenPair:
        """A new pair for a session, which from here on works in an organization of the person."""
        access_token = await self.issue_access_token(db, session)
        return TokenPair(access_token, self._add_refresh_token(db, session, now))

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

    def hash(self, refresh_token: str) -> bytes:
        """What is kept of a refresh token. It is random, so a fast keyed hash is enough."""
        return self._secrets.mac(PURPOSE, refresh_token)

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

    def _add_refresh_token(self, db: AsyncSession, session: Session, now: datetime) -> str:
        token = new_token()
        row = RefreshToken(
            id=new_id(),
            session_id=session.id,
            token_hash=self.hash(token),
            created_at=now,
            expires_at=session.expires_at,
        )
        SessionRepository(db).add(row)
        return token
