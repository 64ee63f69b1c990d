"""What the access tokens of applications allow, asked at every call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from portico_kit.assurance import Assurance, Authentication
from portico_kit.batching import BatchLoader
from portico_kit.clock import Clock
from portico_kit.credentials import Grant, Principal, Withheld
from portico_kit.jwt import Claims, TokenKind
from portico_kit.storage.reads import Reads
from server.features.applications.facade import KEY_METHODS, Applications, Client
from server.features.auth.standings import SessionStandings
from server.features.oauth.delegation import (
    actors_among,
    holders_of,
    is_exchanged,
    passes_on,
    scopes_of,
)
from server.features.oauth.repository import ACTIVE, LIVING, LIVING_COLUMNS
from server.features.organizations.facade import Tenants, level_due
from server.features.users.facade import Account, account

LEVELS: Mapping[str, Assurance] = {level.acr: level for level in Assurance}


class ApplicationAuthenticator:
    """Lets in applications that act for themselves, in the organization that owns them."""

    def __init__(self, kind: TokenKind, applications: Applications, clock: Clock) -> None:
        self._kind = kind
        self._applications = applications
        self._clock = clock

    @property
    def kind(self) -> TokenKind:
        """Of tokens of the grant client_credentials."""
        return self._kind

    def principal(self, claims: Claims) -> Principal:
        """The application, which acts for no person."""
        return Principal(self._kind.name, claims.subject, None, claims.organization_id)

    async def grant(
        self, claims: Claims, principal: Principal, *, with_permissions: bool
    ) -> Grant | None:
        """What the application may do; None if it may not act, or its secret is not good."""
        client = await self._applications.find(str(claims.subject))
        if client is None or not _still_proven(client, claims.secret_id, self._clock()):
            return None
        return Grant(principal, {client.organization_id: client.scopes})


@dataclass(frozen=True, slots=True)
class LivingGrant:
    """What lets the tokens of an authorization be good, as it is now."""

    authorization_id: UUID
    grant_id: UUID
    application_id: UUID
    organization_id: UUID | None
    scopes: list[str]
    acr: str
    account: Account


class ActiveGrant(NamedTuple):
    """Of what the tokens of an authorization are, which is good now."""

    authorization_id: UUID
    application_id: UUID
    organization_id: UUID | None


class GrantAuthenticator:
    """Lets in applications that act for a person, in the one organization that they chose."""

    def __init__(
        self,
        kind: TokenKind,
        reads: Reads,
        clock: Clock,
        applications: Applications,
        tenants: Tenants,
        standings: SessionStandings,
    ) -> None:
        self._kind = kind
        self._reads = reads
        self._clock = clock
        self._applications = applications
        self._tenants = tenants
        self._standings = standings
        self._living: BatchLoader[UUID, LivingGrant] = BatchLoader(self._fetch)
        self._active: BatchLoader[UUID, ActiveGrant] = BatchLoader(self._fetch_active)

    @property
    def kind(self) -> TokenKind:
        """Of tokens that came of a person's consent."""
        return self._kind

    def principal(self, claims: Claims) -> Principal:
        """The authorization; whose grant it belongs to is looked up."""
        return Principal(
            self._kind.name,
            UUID(str(claims.private["gid"])),
            None,
            claims.organization_id,
            claims.subject,
        )

    async def grant(
        self, claims: Claims, principal: Principal, *, with_permissions: bool
    ) -> Grant | None:
        """What the application may do for the person; None if any of them may not, any more."""
        living = await self.living(claims)
        holders = await self.holders(claims, living) if living else None
        if living is None or holders is None:
            return None
        person = living.account
        acting = Principal(
            self._kind.name,
            living.grant_id,
            None,
            living.organization_id,
            person.id,
            actors_among(holders),
        )
        scopes = frozenset(living.scopes) & scopes_of(holders)
        if living.organization_id is None or not with_permissions:
            return Grant(acting, account=person, scopes=scopes)
        return await self._in_organization(acting, living, living.organization_id, scopes)

    async def allowed_scopes(self, claims: Claims) -> frozenset[str] | None:
        """What the application may ask for; None if the token is not good any more.

        A look-up of the least that says so.
        """
        active = await self._active.load(UUID(str(claims.private["gid"])))
        if active is None or active.organization_id != claims.organization_id:
            return None
        holders = await self.holders(claims, active)
        return None if holders is None else scopes_of(holders)

    async def holders(
        self, claims: Claims, living: LivingGrant | ActiveGrant
    ) -> Sequence[Client] | None:
        """The applications that have had a token, the one that has it now is the last.

        None if it is not good: one of them may not be used or may not have it any more, or what
        the last one showed for it is not good now.

        Args:
            living: the authorization that it came of.
        """
        if is_exchanged(claims):
            return await self._holders_of_exchanged(claims, living)
        client = await self._applications.find(str(claims.private["client_id"]))
        return (client,) if client and client.id == living.application_id else None

    async def _holders_of_exchanged(
        self, claims: Claims, living: LivingGrant | ActiveGrant
    ) -> Sequence[Client] | None:
        found = [await self._applications.find(name) for name in holders_of(claims)]
        holders = [each for each in found if each is not None]
        if len(holders) < len(found) or holders[0].id != living.application_id:
            return None
        if not _still_proven(holders[-1], claims.secret_id, self._clock()):
            return None
        return holders if passes_on(holders, claims.organization_id) else None

    async def living(self, claims: Claims) -> LivingGrant | None:
        """The authorization that a token came of; None if it has ended."""
        found = await self._living.load(UUID(str(claims.private["gid"])))
        return found if found and found.organization_id == claims.organization_id else None

    async def _in_organization(
        self, acting: Principal, living: LivingGrant, organization_id: UUID, scopes: frozenset[str]
    ) -> Grant | None:
        rights = await self._tenants.member_rights(living.account.id)
        held = rights.permissions.get(organization_id)
        if held is None:
            return None
        level = level_due(rights.demands.get(organization_id, ()), self._clock())
        if LEVELS[living.acr] >= level:
            return Grant(acting, {organization_id: held}, living.account, scopes)
        # What the person shows next is shown in a new sign-in, after the first factor.
        first = (Authentication("password", self._clock()),)
        methods = await self._standings.can_show(living.account.id, first, level)
        withheld = Withheld("factor" if methods else level.way_out, level.acr, tuple(methods))
        return Grant(
            acting,
            {organization_id: frozenset()},
            living.account,
            scopes,
            withheld={organization_id: withheld},
        )

    async def _fetch(self, authorization_ids: Sequence[UUID]) -> Mapping[UUID, LivingGrant]:
        rows = await self._reads.fetch(LIVING, authorization_ids, now=self._clock())
        return {row[0]: _living(row) for row in rows}

    async def _fetch_active(self, authorization_ids: Sequence[UUID]) -> Mapping[UUID, ActiveGrant]:
        rows = await self._reads.fetch(ACTIVE, authorization_ids, now=self._clock())
        return {row[0]: ActiveGrant(*row) for row in rows}


def _still_proven(client: Client, secret_id: str, now: datetime) -> bool:
    """Whether what an application showed for a token would be good now."""
    if not secret_id:
        return client.token_endpoint_auth_method in KEY_METHODS
    return secret_id in client.secret_ids(now)


def _living(row: Sequence[Any]) -> LivingGrant:
    return LivingGrant(*(*row[:LIVING_COLUMNS], account(row[LIVING_COLUMNS:])))
