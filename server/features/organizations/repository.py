"""The questions that are asked about organizations, members and invitations, one query each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Exists, delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.paging import Cursors, Order, Page, Paging, fetch_page
from server.features.organizations.models import (
    EXPIRED,
    PENDING,
    Invitation,
    Membership,
    Organization,
    OrganizationLimits,
    SecurityPolicyNotice,
)
from server.features.organizations.roles import MANAGERS, OWNER
from server.features.users.facade import can_act, has_second_factor

NEWEST_FIRST = Order((Organization.id,))
NEWEST_INVITATION_FIRST = Order((Invitation.id,))
IN_ORDER_OF_JOINING = Order((Membership.id,), descending=False)


class OrganizationRepository:
    """Organizations that are not deleted, in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    async def create(self, name: str, slug: str) -> Organization | None:
        """A new organization, or None if another one has the slug.

        The insert itself finds out, so that two callers at once cannot both have it.
        """
        new = insert(Organization).values(name=name, slug=slug)
        alive = Organization.deleted_at.is_(None)
        skipping = new.on_conflict_do_nothing(index_elements=["slug"], index_where=alive)
        return await self._db.scalar(skipping.returning(Organization))

    async def find(self, organization_id: UUID) -> Organization | None:
        """The organization, if there is one."""
        query = select(Organization).where(
            Organization.id == organization_id, Organization.deleted_at.is_(None)
        )
        return await self._db.scalar(query)

    async def lock(self, organization_id: UUID) -> bool:
        """Makes others who lock it wait until this transaction ends; False if there is none."""
        query = select(Organization.id).where(
            Organization.id == organization_id, Organization.deleted_at.is_(None)
        )
        return await self._db.scalar(query.with_for_update(key_share=True)) is not None

    async def lock_all_of(self, user_id: UUID) -> None:
        """The same for all organizations of a person, in the order of their ids."""
        query = (
            select(Organization.id)
            .join(Membership, Membership.organization_id == Organization.id)
            .where(Membership.user_id == user_id, Organization.deleted_at.is_(None))
            .order_by(Organization.id)
        )
        await self._db.execute(query.with_for_update(of=Organization, key_share=True))

    async def list_of(self, user_id: UUID, paging: Paging, cursors: Cursors) -> Page[Organization]:
        """A page of a person's organizations, newest first."""
        query = (
            select(Organization)
            .join(Membership, Membership.organization_id == Organization.id)
            .where(Membership.user_id == user_id, Organization.deleted_at.is_(None))
        )
        return await fetch_page(self._db, query, NEWEST_FIRST, paging, cursors)


class MembershipRepository:
    """Members in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, membership: Membership) -> None:
        """Adds a new member."""
        self._db.add(membership)

    async def find(self, organization_id: UUID, user_id: UUID) -> Membership | None:
        """A person's part in an organization."""
        query = select(Membership).where(
            Membership.organization_id == organization_id, Membership.user_id == user_id
        )
        return await self._db.scalar(query)

    async def acting_role(self, organization_id: UUID, user_id: UUID) -> str | None:
        """The role of a member who can act, or None if the person is none."""
        query = select(Membership.role).where(
            Membership.organization_id == organization_id,
            Membership.user_id == user_id,
            can_act(Membership.user_id),
        )
        return await self._db.scalar(query)

    async def of_person(
        self, user_id: UUID, organization_ids: Collection[UUID]
    ) -> Mapping[UUID, Membership]:
        """A person's part in each of these organizations that they belong to."""
        query = select(Membership).where(
            Membership.user_id == user_id, Membership.organization_id.in_(organization_ids)
        )
        return {row.organization_id: row for row in await self._db.scalars(query)}

    async def list_of(self, user_id: UUID) -> Sequence[Membership]:
        """A person's part in each organization that is not deleted, the first joined first."""
        query = (
            select(Membership)
            .join(Organization, Organization.id == Membership.organization_id)
            .where(Membership.user_id == user_id, Organization.deleted_at.is_(None))
        )
        return (await self._db.scalars(query.order_by(Membership.id))).all()

    async def has_acting_owner(self, organization_id: UUID, besides: UUID | None = None) -> bool:
        """Whether an organization has an owner who can act, another one than `besides`."""
        others = _acting(organization_id, Membership.role == OWNER)
        return bool(await self._db.scalar(select(others.where(Membership.user_id != besides))))

    async def has_acting_member(self, organization_id: UUID) -> bool:
        """Whether an organization has any member who can act."""
        return bool(await self._db.scalar(select(_acting(organization_id))))

    async def managers(self, organization_id: UUID, limit: int) -> Sequence[UUID]:
        """Owners and admins of an organization, those who joined first before the others."""
        query = select(Membership.user_id).where(
            Membership.organization_id == organization_id, Membership.role.in_(MANAGERS)
        )
        return (await self._db.scalars(query.order_by(Membership.id).limit(limit))).all()

    async def owners(self, organization_id: UUID) -> Sequence[UUID]:
        """The people who own an organization, those who joined first before the others."""
        query = select(Membership.user_id).where(
            Membership.organization_id == organization_id, Membership.role == OWNER
        )
        return (await self._db.scalars(query.order_by(Membership.id))).all()

    async def without_factor(
        self, organization: Organization, after: UUID | None, limit: int
    ) -> Sequence[Membership]:
        """Members who lack what an organization requires of them, in the order of joining.

        Whether a second factor is a passkey is not looked at: with such a requirement it
        is all whom it concerns.
        """
        query = select(Membership).where(Membership.organization_id == organization.id)
        if organization.second_factor_roles:
            query = query.where(Membership.role.in_(organization.second_factor_roles))
        if organization.second_factor == "required":
            query = query.where(~has_second_factor(Membership.user_id))
        if after is not None:
            query = query.where(Membership.id > after)
        return (await self._db.scalars(query.order_by(Membership.id).limit(limit))).all()

    async def list(
        self, organization_id: UUID, paging: Paging, cursors: Cursors
    ) -> Page[Membership]:
        """A page of an organization's members, in the order in which they joined."""
        query = select(Membership).where(Membership.organization_id == organization_id)
        return await fetch_page(self._db, query, IN_ORDER_OF_JOINING, paging, cursors)


def _acting(organization_id: UUID, *which: ColumnElement[bool]) -> Exists:
    """The condition that an organization has a member like this who can act."""
    here = Membership.organization_id == organization_id
    return exists().where(here, can_act(Membership.user_id), *which)


class InvitationRepository:
    """Invitations in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, invitation: Invitation) -> None:
        """Adds a new invitation."""
        self._db.add(invitation)

    async def find_to_change(
        self, invitation_id: UUID, organizations: Collection[UUID]
    ) -> Invitation | None:
        """The invitation, if one of the organizations made it; locked."""
        query = select(Invitation).where(
            Invitation.id == invitation_id, Invitation.organization_id.in_(organizations)
        )
        return await self._db.scalar(query.with_for_update())

    async def find_by_token(self, token_hash: bytes) -> Invitation | None:
        """The invitation with this token.

        Asked outside any organization: the token is how it becomes known.
        """
        return await self._db.scalar(select(Invitation).where(Invitation.token_hash == token_hash))

    async def lock(self, invitation: Invitation) -> None:
        """Reads the invitation again and locks it, so that of two who bring it one wins."""
        await self._db.refresh(invitation, with_for_update=True)

    async def lock_pending_of_person(
        self, user_id: UUID, now: datetime, organization_id: UUID | None = None
    ) -> Sequence[Invitation]:
        """The pending invitations that a person sent, by default in all organizations; locked."""
        sent = Invitation.invited_by == user_id
        here = [Invitation.organization_id == organization_id] if organization_id else []
        return await self._lock_pending(now, sent, *here)

    async def lock_pending_of_api_key(
        self, organization_id: UUID, key_id: UUID, now: datetime
    ) -> Sequence[Invitation]:
        """The pending invitations that an API key of the organization sent; locked."""
        here = Invitation.organization_id == organization_id
        return await self._lock_pending(now, here, Invitation.invited_by_api_key == key_id)

    async def _lock_pending(
        self, now: datetime, *which: ColumnElement[bool]
    ) -> Sequence[Invitation]:
        pending = (Invitation.status == PENDING, Invitation.expires_at > now)
        query = select(Invitation).where(*which, *pending).order_by(Invitation.id)
        return (await self._db.scalars(query.with_for_update())).all()

    async def close_expired(self, organization_id: UUID, email: str, now: datetime) -> None:
        """Ends an address's invitation that has run out, to make room for a new one."""
        overdue = update(Invitation).where(
            Invitation.organization_id == organization_id,
            Invitation.email == email,
            Invitation.status == PENDING,
            Invitation.expires_at <= now,
        )
        await self._db.execute(overdue.values(status=EXPIRED, version=Invitation.version + 1))

    async def list(
        self, organization_id: UUID, paging: Paging, cursors: Cursors
    ) -> Page[Invitation]:
        """A page of an organization's invitations, newest first."""
        query = select(Invitation).where(Invitation.organization_id == organization_id)
        return await fetch_page(self._db, query, NEWEST_INVITATION_FIRST, paging, cursors)


class NoticeRepository:
    """What members are still to be mailed, in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, notice: SecurityPolicyNotice) -> None:
        """Adds a notice."""
        self._db.add(notice)

    async def delete_all(self, organization_id: UUID) -> None:
        """Forgets the notices of an organization."""
        gone = delete(SecurityPolicyNotice).where(
            SecurityPolicyNotice.organization_id == organization_id
        )
        await self._db.execute(gone)

    async def next_due(self, now: datetime) -> SecurityPolicyNotice | None:
        """One that is due and that no other worker has; locked."""
        query = (
            select(SecurityPolicyNotice)
            .where(SecurityPolicyNotice.due_at <= now)
            .order_by(SecurityPolicyNotice.due_at)
            .limit(1)
        )
        return await self._db.scalar(query.with_for_update(skip_locked=True))


class LimitsRepository:
    """The limits of organizations, in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, limits: OrganizationLimits) -> None:
        """Adds the first limits of an organization."""
        self._db.add(limits)

    async def find(self, organization_id: UUID) -> OrganizationLimits | None:
        """The limits of an organization, if it has any."""
        return await self._db.get(OrganizationLimits, organization_id)

    async def find_to_change(self, organization_id: UUID) -> OrganizationLimits | None:
        """The same; locked."""
        return await self._db.get(OrganizationLimits, organization_id, with_for_update=True)

    async def list_all(self) -> Sequence[OrganizationLimits]:
        """Those of every organization that has some, for the edge's copy."""
        return (await self._db.scalars(select(OrganizationLimits))).all()
