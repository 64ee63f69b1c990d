"""Declining an invitation: whoever has the mail may, and the inviter sees it."""

from __future__ import annotations

from datetime import timedelta

import grpc
from portico.organizations.v1 import organization_service_pb2 as pb

from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.organizations.conftest import Team
from tests.core.records import event
from tests.core.world import Person, World, new_email

CONFLICT = grpc.StatusCode.FAILED_PRECONDITION
NOT_FOUND = grpc.StatusCode.NOT_FOUND


async def decline(team: Team, token: str) -> pb.DeclineInvitationResponse:
    """Without any credential: who has no account says no as well."""
    request = pb.DeclineInvitationRequest(token=token)
    return await team.world.organizations.DeclineInvitation(request)


async def test_who_is_invited_may_decline_and_the_inviter_sees_it(
    team: Team, world: World, audited: Audited
) -> None:
    email = new_email()
    await team.invite(email)
    await decline(team, (await world.mail(email, "invitation"))["token"])
    assert await team.statuses() == ["declined"]
    told = await event(world, team.organization_id, "invitation.declined")
    assert (told.data["email"], told.data["status"]) == (email, "declined")
    assert await audited(told.data["id"]) == ["invitation.created", "invitation.declined"]


async def test_what_was_declined_can_neither_be_accepted_nor_revoked_nor_declined_again(
    team: Team, stranger: Person, refused: Refused
) -> None:
    made = (await team.invite(stranger.email)).invitation
    token = (await team.world.mail(stranger.email, "invitation"))["token"]
    await decline(team, token)
    for attempt in (team.accept(stranger, token), team.revoke(made.id), decline(team, token)):
        await refused(attempt, CONFLICT, "INVITATION_DECLINED")


async def test_who_declined_can_be_invited_again(team: Team, stranger: Person) -> None:
    await decline(team, await team.invited(stranger))
    await team.accept(stranger, await team.invited(stranger, "member"))
    assert (await team.members(team.owner))[stranger.id] == "member"


async def test_what_has_ended_cannot_be_declined(
    team: Team, world: World, stranger: Person, refused: Refused
) -> None:
    accepted = await team.invited(stranger)
    await team.accept(stranger, accepted)
    await refused(decline(team, accepted), CONFLICT, "INVITATION_ALREADY_USED")
    email = new_email()
    made = (await team.invite(email)).invitation
    token = (await world.mail(email, "invitation"))["token"]
    with world.clock.later(timedelta(days=8)):
        await refused(decline(team, token), CONFLICT, "INVITATION_EXPIRED")
    await team.revoke(made.id)
    await refused(decline(team, token), CONFLICT, "INVITATION_REVOKED")


async def test_of_accepting_and_declining_at_once_one_happens(team: Team, stranger: Person) -> None:
    token = await team.invited(stranger)
    answers, reasons = await race(team.accept(stranger, token), decline(team, token))
    assert len(answers) == 1
    assert reasons[0] in {"INVITATION_ALREADY_USED", "INVITATION_DECLINED"}


async def test_a_token_that_nobody_sent_declines_nothing(
    team: Team, stranger: Person, refused: Refused
) -> None:
    await refused(decline(team, "made up"), NOT_FOUND, "INVITATION_NOT_FOUND")
    token = await team.invited(stranger)
    request = pb.DeleteOrganizationRequest(organization_id=team.organization_id)
    await team.world.organizations.DeleteOrganization(request, metadata=team.owner.metadata)
    await refused(decline(team, token), NOT_FOUND, "INVITATION_NOT_FOUND")
