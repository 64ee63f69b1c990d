"""What the tests of organizations share."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from portico.organizations.v1 import organization_service_pb2 as pb

from tests.core.users.conftest import administrator as administrator
from tests.core.world import Person, World


@dataclass(frozen=True)
class Team:
    """An organization and what its people do to each other."""

    world: World
    organization_id: str
    owner: Person

    async def joined(self, role: str) -> Person:
        """Somebody new with this role."""
        return await self.world.new_member(self.organization_id, self.owner, role)

    async def members(self, person: Person) -> dict[str, str]:
        """The role of every member, by id, as a person sees them."""
        answer = await self.world.organizations.ListMembers(
            pb.ListMembersRequest(organization_id=self.organization_id), metadata=person.metadata
        )
        return {member.user_id: member.role for member in answer.members}

    async def change_role(self, by: Person, of: Person, role: str) -> pb.UpdateMemberResponse:
        """Somebody gives somebody a role."""
        request = pb.UpdateMemberRequest(
            organization_id=self.organization_id, user_id=of.id, role=role
        )
        return await self.world.organizations.UpdateMember(request, metadata=by.metadata)

    async def remove(self, by: Person, whom: Person) -> pb.RemoveMemberResponse:
        """Somebody removes somebody."""
        request = pb.RemoveMemberRequest(organization_id=self.organization_id, user_id=whom.id)
        return await self.world.organizations.RemoveMember(request, metadata=by.metadata)

    async def invite(
        self, email: str, role: str = "viewer", *, by: Person | None = None
    ) -> pb.CreateInvitationResponse:
        """Somebody, by default the owner, invites an address."""
        request = pb.CreateInvitationRequest(
            organization_id=self.organization_id, email=email, role=role
        )
        return await self.world.organizations.CreateInvitation(
            request, metadata=(by or self.owner).metadata
        )

    async def invited(self, person: Person, role: str = "viewer") -> str:
        """Invites somebody and gives the token from the mail."""
        await self.invite(person.email, role)
        return (await self.world.mail(person.email, "invitation"))["token"]

    async def accept(self, person: Person, token: str) -> pb.AcceptInvitationResponse:
        """Somebody brings a token."""
        request = pb.AcceptInvitationRequest(token=token)
        return await self.world.organizations.AcceptInvitation(request, metadata=person.metadata)

    async def revoke(self, invitation_id: str) -> pb.RevokeInvitationResponse:
        """The owner takes an invitation back."""
        request = pb.RevokeInvitationRequest(invitation_id=invitation_id)
        return await self.world.organizations.RevokeInvitation(
            request, metadata=self.owner.metadata
        )

    async def statuses(self) -> list[str]:
        """The status of every invitation, newest first."""
        answer = await self.world.organizations.ListInvitations(
            pb.ListInvitationsRequest(organization_id=self.organization_id),
            metadata=(await self.world.sign_in(self.owner.email)).metadata,
        )
        return [invitation.status for invitation in answer.invitations]


@pytest.fixture
async def team(world: World, owner: Person, organization_id: str) -> Team:
    """An organization of the owner."""
    return Team(world, organization_id, owner)
