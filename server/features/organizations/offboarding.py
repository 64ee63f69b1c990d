"""How a membership ends: what the member must not leave behind goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from portico_kit.call import Call
from server.features.organizations import messages
from server.features.organizations.models import Membership
from server.features.organizations.pending_invitations import PendingInvitations
from server.features.organizations.ports import ApiKeys, Applications, Grants
from server.features.organizations.repository import MembershipRepository, OrganizationRepository
from server.features.users.facade import Contact, find_contacts

KEYS_NAMED = 100


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What somebody created in an organization and may know the secrets of, the newest first.

    Attributes:
        has_more_keys: whether there are more API keys than are named.
    """

    key_ids: Sequence[UUID]
    has_more_keys: bool
    application_ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Offboarding:
    """Ends memberships."""

    api_keys: ApiKeys
    applications: Applications
    grants: Grants
    pending_invitations: PendingInvitations

    async def remove(self, member: Membership, contact: Contact, call: Call) -> LeftBehind:
        """Ends a membership; revokes the member's pending invitations, and what they let
        applications do there.

        Their API keys and applications belong to the organization and go on working.

        Returns:
            Those that the person created, for whoever has to look after them now.
        """
        organization_id, user_id = member.organization_id, member.user_id
        shown = messages.member(member, contact)
        left = await self._left_behind(organization_id, user_id, call)
        await self.pending_invitations.revoke_of_person(
            user_id, call, organization_id=organization_id
        )
        await self.grants.revoke_of_member(user_id, organization_id, call)
        await call.db.delete(member)
        call.record(
            "member.removed",
            organization_id=organization_id,
            target_id=user_id,
            data=shown,
            details={
                "apiKeyIds": [str(key_id) for key_id in left.key_ids],
                "hasMoreApiKeys": left.has_more_keys,
                "applicationIds": [str(each) for each in left.application_ids],
            },
        )
        return left

    async def end_memberships(self, user_id: UUID, call: Call) -> None:
        """Takes a person out of all organizations; for the deletion of an account."""
        await OrganizationRepository(call.db).lock_all_of(user_id)
        contacts = await find_contacts(call.db, [user_id])
        for member in await MembershipRepository(call.db).list_of(user_id):
            await self.remove(member, contacts[user_id], call)

    async def suspend(self, user_id: UUID, call: Call) -> None:
        """Revokes what a suspended person has sent; they stay a member."""
        await self.pending_invitations.revoke_of_person(user_id, call)

    async def _left_behind(self, organization_id: UUID, user_id: UUID, call: Call) -> LeftBehind:
        found = await self.api_keys.created_by(
            call.db, organization_id, user_id, limit=KEYS_NAMED + 1
        )
        applications = await self.applications.created_by(call.db, organization_id, user_id)
        return LeftBehind(found[:KEYS_NAMED], len(found) > KEYS_NAMED, applications)
