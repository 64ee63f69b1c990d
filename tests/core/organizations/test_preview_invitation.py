"""What an invitation offers is shown to whoever has its token, and that changes nothing."""

from __future__ import annotations

from datetime import timedelta

import grpc
from portico.organizations.v1 import organization_service_pb2 as pb

from tests.core.conftest import Refused
from tests.core.organizations.conftest import Team
from tests.core.world import Person


async def preview(team: Team, token: str) -> pb.PreviewInvitationResponse:
    """Without any credential: who has no account sees it as well."""
    request = pb.PreviewInvitationRequest(token=token)
    return await team.world.organizations.PreviewInvitation(request)


async def test_it_names_what_the_mail_names(team: Team, stranger: Person) -> None:
    shown = await preview(team, await team.invited(stranger, "member"))
    assert (shown.email, shown.role, shown.status) == (stranger.email, "member", "pending")
    assert shown.organization_name
    assert shown.inviter_name
    assert shown.expires_at.seconds > 0


async def test_looking_uses_nothing_up(team: Team, stranger: Person) -> None:
    token = await team.invited(stranger)
    for _ in range(3):
        await preview(team, token)
    await team.accept(stranger, token)
    assert (await preview(team, token)).status == "accepted"


async def test_it_says_when_the_invitation_is_over(team: Team, stranger: Person) -> None:
    token = await team.invited(stranger)
    with team.world.clock.later(timedelta(days=8)):
        assert (await preview(team, token)).status == "expired"


async def test_a_token_that_nobody_sent_and_a_deleted_organization_are_not_found(
    team: Team, stranger: Person, refused: Refused
) -> None:
    await refused(preview(team, "made up"), grpc.StatusCode.NOT_FOUND, "INVITATION_NOT_FOUND")
    token = await team.invited(stranger)
    request = pb.DeleteOrganizationRequest(organization_id=team.organization_id)
    await team.world.organizations.DeleteOrganization(request, metadata=team.owner.metadata)
    await refused(preview(team, token), grpc.StatusCode.NOT_FOUND, "INVITATION_NOT_FOUND")
