"""Who answers for an organization: its owners who can act, for mails that concern all of it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.features.organizations.repository import MembershipRepository
from server.features.users.facade import Contact, find_contacts


async def owner_contacts(db: AsyncSession, organization_id: UUID) -> Sequence[Contact]:
    """How the owners of an organization are named and reached; suspended people are left out."""
    owners = await MembershipRepository(db).owners(organization_id)
    found = await find_contacts(db, owners)
    return [contact for contact in found.values() if contact.active]
