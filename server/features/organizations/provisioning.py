"""How people become members by signing in with their organization's own provider."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico_kit.call import Call
from portico_kit.credentials import Principal
from portico_kit.errors import NotFoundError
from server.features.organizations import messages
from server.features.organizations.models import Membership
from server.features.organizations.repository import MembershipRepository, OrganizationRepository
from server.features.users.facade import Contact


@dataclass(frozen=True, slots=True)
class Provisioning:
    """Adds members without an invitation."""

    async def add(
        self, organization_id: UUID, person: Contact, role: str, call: Call, actor: Principal
    ) -> None:
        """Makes a person a member, unless they are one; their role stays as it is then.

        Raises:
            NotFoundError: if the organization is deleted.
        """
        organizations, members = OrganizationRepository(call.db), MembershipRepository(call.db)
        if not await organizations.lock(organization_id):
            raise NotFoundError
        if await members.find(organization_id, person.id) is not None:
            return
        member = Membership(organization_id=organization_id, user_id=person.id, role=role)
        members.add(member)
        await call.db.flush()
        await call.db.refresh(member)
        call.record(
            "member.added",
            organization_id=organization_id,
            target_id=person.id,
            data=messages.member(member, person),
            actor=actor,
        )
