"""The pair of tokens that a session lives by: an access token and a refresh token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.assurance import Authentication, amr, assurance, last
from portico_kit.jwt import TokenIssuer
from server.common.refresh_chain import RefreshTokens
from server.features.auth.authenticator import USER
from server.features.auth.models import Session, shown_in
from server.features.organizations.facade import Tenants

# Of a person who works in no organization.
OWN_TIER = "free"


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a client gets. Neither token is kept here."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


class TokenSource(NamedTuple):
    """What the tokens of a session are made of.

    Attributes:
        created_at: when the session began.
        authentications: what was shown in it, as it is stored.
        tier: how much the person may use of the organization; None if they are no member.
    """

    session_id: UUID
    user_id: UUID
    organization_id: UUID | None
    refresh_counter: int
    refresh_seed: bytes
    created_at: datetime
    authentications: Sequence[Mapping[str, Any]]
    tier: str | None

    @classmethod
    def of(cls, session: Session, tier: str | None) -> TokenSource:
        """That of a session, as it is now."""
        return cls(
            session.id,
            session.user_id,
            session.organization_id,
            session.refresh_counter,
            session.refresh_seed,
            session.created_at,
            session.authentications,
            tier,
        )


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
        return self.pair(await self._source(db, session))

    def pair(self, source: TokenSource) -> TokenPair:
        """The same, of what is known already."""
        refresh_token = self._tokens.token(
            source.session_id, source.refresh_seed, source.refresh_counter
        )
        return TokenPair(self._access_token(source), refresh_token)

    async def issue_access_token(self, db: AsyncSession, session: Session) -> str:
        """A new access token for a session, which works in an organization of the person."""
        return self._access_token(await self._source(db, session))

    def _access_token(self, source: TokenSource) -> str:
        return self._issuer.issue(
            kind=USER,
            subject=source.user_id,
            session_id=source.session_id,
            organization_id=source.organization_id,
            tier=source.tier or OWN_TIER,
            private=_authentication_claims(shown_in(source.authentications, source.created_at)),
        )

    async def _source(self, db: AsyncSession, session: Session) -> TokenSource:
        return TokenSource.of(session, await self._settle(db, session))

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


def _authentication_claims(shown: Sequence[Authentication]) -> Mapping[str, Any]:
    """How the person signed in, and when (OpenID Connect Core, section 2)."""
    newest = last(shown)
    claims: dict[str, Any] = {"acr": assurance(shown).acr, "amr": amr(shown)}
    return claims if newest is None else {**claims, "auth_time": int(newest.timestamp())}
