"""What other features and the access interceptor ask about organizations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    SQLColumnExpression,
    exists,
    func,
    literal,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from portico_kit.assurance import Assurance
from portico_kit.batching import BatchLoader
from portico_kit.storage.reads import Reads, keyed_query
from server.common.roles import Roles
from server.features.organizations.models import Membership, Organization
from server.features.organizations.policy_rules import LEVELS, concerns
from server.features.organizations.read_models import OrganizationView
from server.features.organizations.roles import OWNER, permissions_of
from server.features.users.facade import can_act

Rights = Mapping[UUID, frozenset[str]]

_ALIVE = Organization.deleted_at.is_(None)
# Its columns stand in the order of OrganizationView's.
_VIEW = keyed_query(
    select(
        Organization.id,
        Organization.name,
        Organization.slug,
        Organization.tier,
        Organization.version,
        Organization.created_at,
        Organization.updated_at,
        Organization.allow_key_import,
    ).where(_ALIVE),
    Organization.id,
)
_RIGHTS = keyed_query(
    select(
        Membership.user_id,
        Membership.organization_id,
        Membership.role,
        Organization.second_factor,
        Organization.second_factor_from,
        Organization.second_factor_roles,
    )
    .join(Organization, Organization.id == Membership.organization_id)
    .where(_ALIVE),
    Membership.user_id,
)


@dataclass(frozen=True, slots=True)
class FactorDemand:
    """What an organization asks of a member.

    Attributes:
        level: what they must have shown in their session.
        since: from when on; it may be to come.
    """

    level: Assurance
    since: datetime


# Not frozen, for one is made at every call; nobody changes it afterwards.
@dataclass(slots=True)
class MemberRights:
    """What a person may do in their organizations, and what these ask of them.

    Attributes:
        permissions: by organization, whatever is asked.
        demands: by organization; most ask for nothing.
    """

    permissions: dict[UUID, frozenset[str]] = field(default_factory=dict)
    demands: dict[UUID, FactorDemand] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyImport:
    """What an import of keys needs to know of the organization.

    Attributes:
        allowed: whether an owner has allowed it.
    """

    organization_name: str
    allowed: bool


def is_alive(organization_id: SQLColumnExpression[UUID | None]) -> ColumnElement[bool]:
    """The condition that there is a row's organization still, for another feature's query."""
    return exists().where(Organization.id == organization_id, _ALIVE)


def asked_from(user_id: SQLColumnExpression[UUID]) -> ScalarSelect[datetime | None]:
    """When the first of a person's organizations asks for a factor, for another feature's query.

    Null if none does, of anybody; `Tenants.member_rights` says what is asked of the person.
    """
    return (
        select(func.min(Organization.second_factor_from))
        .join(Membership, Membership.organization_id == Organization.id)
        .where(Membership.user_id == user_id, _ALIVE)
        .scalar_subquery()
    )


def allows_remembered_devices(user_id: SQLColumnExpression[UUID]) -> ColumnElement[bool]:
    """The condition that none of a person's organizations forbids them, for another's query."""
    return ~exists().where(
        Membership.user_id == user_id,
        Membership.organization_id == Organization.id,
        Organization.forbid_remembered_devices,
        _ALIVE,
    )


def member_tier(
    organization_id: SQLColumnExpression[UUID | None], user_id: SQLColumnExpression[UUID]
) -> ScalarSelect[str]:
    """How much a row's person may use of its organization, for another feature's query.

    Null if they are no member of it.
    """
    return (
        select(Organization.tier)
        .join(Membership, Membership.organization_id == Organization.id)
        .where(Organization.id == organization_id, Membership.user_id == user_id, _ALIVE)
        .scalar_subquery()
    )


def is_member_since(
    organization_id: SQLColumnExpression[UUID | None],
    user_id: SQLColumnExpression[UUID],
    moment: SQLColumnExpression[datetime],
) -> ColumnElement[bool]:
    """The condition that a row's person has been a member without a break, for another's query.

    Who was removed and joined once more has begun afresh.
    """
    return exists().where(
        Membership.organization_id == organization_id,
        Membership.user_id == user_id,
        Membership.created_at <= moment,
        Organization.id == Membership.organization_id,
        _ALIVE,
    )


def working_organization(
    user_id: SQLColumnExpression[UUID], preferred: SQLColumnExpression[UUID | None]
) -> ScalarSelect[UUID]:
    """The organization in which a person works, for another feature's query.

    The preferred one if they are a member of it, else the one that they joined first; null if
    they are in none.
    """
    return (
        select(Membership.organization_id)
        .join(Organization, Organization.id == Membership.organization_id)
        .where(Membership.user_id == user_id, _ALIVE)
        .order_by((Membership.organization_id == preferred).desc(), Membership.id)
        .limit(1)
        .scalar_subquery()
    )


class Tenants:
    """Answers about organizations that are not deleted.

    What takes a `db` runs in the caller's transaction; the rest runs on its own,
    in one query for all who ask at the same moment.
    """

    def __init__(self, reads: Reads, roles: Roles) -> None:
        self._reads = reads
        self._roles = roles
        self._rights: BatchLoader[UUID, MemberRights] = BatchLoader(self._fetch_rights)
        self._by_id: BatchLoader[UUID, OrganizationView] = BatchLoader(self._fetch)

    async def memberships(self, user_id: UUID) -> Rights:
        """A person's permissions in each of their organizations."""
        return (await self.member_rights(user_id)).permissions

    async def member_rights(self, user_id: UUID) -> MemberRights:
        """The same, and what the organizations ask of the person before they may use it."""
        return await self._rights.load(user_id) or MemberRights()

    async def find(self, organization_id: UUID) -> OrganizationView | None:
        """The organization, to read only."""
        return await self._by_id.load(organization_id)

    async def tiers(self, organization_ids: Iterable[UUID]) -> Mapping[UUID, str]:
        """How much organizations may use; one that is deleted is not among them."""
        found = await self._by_id.load_all(organization_ids)
        return {organization_id: view.tier for organization_id, view in found.items()}

    async def tier(self, db: AsyncSession, organization_id: UUID) -> str | None:
        """How much an organization may use, or None if there is none."""
        return await db.scalar(
            select(Organization.tier).where(Organization.id == organization_id, _ALIVE)
        )

    async def member_tier(
        self, db: AsyncSession, organization_id: UUID, user_id: UUID
    ) -> str | None:
        """How much a person may use of an organization, or None if they are no member."""
        return await db.scalar(select(member_tier(literal(organization_id), literal(user_id))))

    async def default_organization(self, db: AsyncSession, user_id: UUID) -> UUID | None:
        """The organization that a person joined first, or None if they are in none."""
        return await db.scalar(
            select(Membership.organization_id)
            .join(Organization, Organization.id == Membership.organization_id)
            .where(Membership.user_id == user_id, _ALIVE)
            .order_by(Membership.id)
            .limit(1)
        )

    async def is_last_owner(self, db: AsyncSession, user_id: UUID) -> bool:
        """Whether some organization would be without an owner who can act if the person left.

        Locks the person's organizations, so that the answer holds until the
        caller's transaction ends.
        """
        owned = (
            select(Organization.id)
            .join(Membership, Membership.organization_id == Organization.id)
            .where(Membership.user_id == user_id, Membership.role == OWNER, _ALIVE)
            .order_by(Organization.id)
            .with_for_update(of=Organization, key_share=True)
        )
        organizations = (await db.scalars(owned)).all()
        return bool(organizations) and bool(await db.scalar(_any_without(user_id, organizations)))

    async def lock(self, db: AsyncSession, *organization_ids: UUID) -> Mapping[UUID, str]:
        """The tiers of those organizations that are not deleted, and are not until the call ends.

        Whoever else locks one of them waits; they are locked in the order of their ids, and
        before anything that belongs to them, so that no two calls wait for each other.
        """
        query = (
            select(Organization.id, Organization.tier)
            .where(Organization.id.in_(organization_ids), _ALIVE)
            .order_by(Organization.id)
            .with_for_update(key_share=True)
        )
        return dict((await db.execute(query)).all())

    async def permissions_now(
        self, db: AsyncSession, user_id: UUID, organization_ids: Collection[UUID]
    ) -> Rights:
        """A person's permissions in those of the organizations of which they are a member.

        Those that a call came in with may have been taken while it waited for a lock: who
        has locked the organizations asks here what is left. Who is suspended has nothing.
        """
        query = select(Membership.organization_id, Membership.role).where(
            Membership.user_id == user_id,
            Membership.organization_id.in_(organization_ids),
            can_act(Membership.user_id),
        )
        return {
            row.organization_id: permissions_of(self._roles, row.role)
            for row in await db.execute(query)
        }

    async def key_import(self, db: AsyncSession, organization_id: UUID) -> KeyImport | None:
        """Whether keys may be imported into an organization; None if there is none.

        Locks its row, so that what is answered is true until the caller's transaction ends.
        """
        query = select(Organization.name, Organization.allow_key_import).where(
            Organization.id == organization_id, _ALIVE
        )
        row = (await db.execute(query.with_for_update(read=True))).one_or_none()
        return KeyImport(*row) if row else None

    async def allows_key_import(self, db: AsyncSession, organization_id: UUID) -> bool:
        """Whether keys may be imported into an organization; see `key_import`."""
        found = await self.key_import(db, organization_id)
        return found is not None and found.allowed

    async def _fetch_rights(self, user_ids: Sequence[UUID]) -> Mapping[UUID, MemberRights]:
        found: defaultdict[UUID, MemberRights] = defaultdict(MemberRights)
        for row in await self._reads.fetch(_RIGHTS, user_ids):
            user_id, organization_id, role, second_factor, since, roles = row
            rights = found[user_id]
            rights.permissions[organization_id] = permissions_of(self._roles, role)
            if second_factor is not None and concerns(roles, role):
                rights.demands[organization_id] = FactorDemand(LEVELS[second_factor], since)
        return found

    async def _fetch(self, organization_ids: Sequence[UUID]) -> Mapping[UUID, OrganizationView]:
        rows = await self._reads.fetch(_VIEW, organization_ids)
        return {row.id: OrganizationView(*row) for row in rows}


def _any_without(user_id: UUID, organizations: Sequence[UUID]) -> Select[tuple[bool]]:
    """Whether one of the organizations has no owner who can act but this person."""
    other = aliased(Membership)
    has_other_owner = exists().where(
        other.organization_id == Organization.id,
        other.user_id != user_id,
        other.role == OWNER,
        can_act(other.user_id),
    )
    return select(exists().where(Organization.id.in_(organizations), ~has_other_owner))
