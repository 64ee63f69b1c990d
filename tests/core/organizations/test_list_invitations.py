"""Listing invitations: newest first, each with what became of it."""

from __future__ import annotations

from portico.organizations.v1 import organization_service_pb2 as pb

from tests.core.calls import pages
from tests.core.organizations.conftest import Team
from tests.core.world import World, new_email


async def test_each_is_shown_with_what_became_of_it(team: Team, world: World) -> None:
    await team.joined("viewer")
    revoked = (await team.invite(new_email())).invitation
    await team.revoke(revoked.id)
    await team.invite(new_email())
    assert await team.statuses() == ["pending", "revoked", "accepted"]


async def test_pages_hold_every_invitation_once(team: Team, world: World) -> None:
    made = [(await team.invite(new_email())).invitation.id for _ in range(5)]

    async def read(cursor: str) -> pb.ListInvitationsResponse:
        request = pb.ListInvitationsRequest(
            organization_id=team.organization_id, limit=2, cursor=cursor
        )
        return await world.organizations.ListInvitations(request, metadata=team.owner.metadata)

    found = await pages(read)
    assert [len(page.invitations) for page in found] == [2, 2, 1]
    assert [one.id for page in found for one in page.invitations] == made[::-1]
