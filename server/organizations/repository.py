"""The questions that are asked about organizations, members and invitations, one query each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from server.kit.paging import Cursors, Order, Page, Paging, fetch_page
from server.organizations.models import (
    EXPIRED,
    PENDING,
    Invitation,
    Membership,
    Organization,
    OrganizationLimits,
)
from server.organizations.rules import OWNER

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

    async def roles(self, user_id: UUID, organization_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """A person's role in each of these organizations that they belong to."""
        query = select(Membership.organization_id, Membership.role).where(
            Membership.user_id == user_id, Membership.organization_id.in_(organization_ids)
        )
        return dict((await self._db.execute(query)).all())

    async def count_owners(self, organization_id: UUID) -> int:
        """How many owners an organization has."""
        query = select(func.count()).where(
            Membership.organization_id == organization_id, Membership.role == OWNER
        )
        return await self._db.scalar(query) or 0

    async def owners(self, organization_id: UUID) -> Sequence[UUID]:
        """The people who own an organization, those who joined first before the others."""
        query = select(Membership.user_id).where(
            Membership.organization_id == organization_id, Membership.role == OWNER
        )
        return (await self._db.scalars(query.order_by(Membership.id))).all()

    async def list(
        self, organization_id: UUID, paging: Paging, cursors: Cursors
    ) -> Page[Membership]:
        """A page of an organization's members, in the order in which they joined."""
        query = select(Membership).where(Membership.organization_id == organization_id)
        return await fetch_page(self._db, query, IN_ORDER_OF_JOINING, paging, cursors)


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
        """The invitation with this token; locked, so that of two who bring it one wins.

        Asked outside any organization: the token is how it becomes known.
        """
        query = select(Invitation).where(Invitation.token_hash == token_hash)
        return await self._db.scalar(query.with_for_update())

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
