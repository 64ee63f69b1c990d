"""Taking an invitation back: its token opens nothing from then on."""

from __future__ import annotations

import grpc
from portico.organizations.v1 import organization_service_pb2 as pb

from tests.core.calls import race
from tests.core.conftest import Refused
from tests.core.organizations.conftest import Team
from tests.core.records import event
from tests.core.world import Person, World, new_email

CONFLICT = grpc.StatusCode.FAILED_PRECONDITION


async def test_its_token_opens_nothing_any_more(
    team: Team, world: World, stranger: Person, refused: Refused
) -> None:
    invitation = (await team.invite(stranger.email)).invitation
    token = (await world.mail(stranger.email, "invitation"))["token"]
    await team.revoke(invitation.id)
    await refused(team.accept(stranger, token), CONFLICT, "INVITATION_REVOKED")
    told = await event(world, team.organization_id, "invitation.revoked")
    assert (told.data["id"], told.data["status"]) == (invitation.id, "revoked")


async def test_it_is_taken_back_once(team: Team, refused: Refused) -> None:
    invitation = (await team.invite(new_email())).invitation
    answers, reasons = await race(*(team.revoke(invitation.id) for _ in range(3)))
    assert (len(answers), reasons) == (1, ["INVITATION_REVOKED"] * 2)


async def test_one_that_was_accepted_cannot_be_taken_back(
    team: Team, world: World, stranger: Person, refused: Refused
) -> None:
    invitation = (await team.invite(stranger.email)).invitation
    token = (await world.mail(stranger.email, "invitation"))["token"]
    await team.accept(stranger, token)
    await refused(team.revoke(invitation.id), CONFLICT, "INVITATION_ALREADY_USED")


async def test_either_it_is_accepted_or_taken_back(
    team: Team, world: World, stranger: Person
) -> None:
    invitation = (await team.invite(stranger.email)).invitation
    token = (await world.mail(stranger.email, "invitation"))["token"]
    answers, reasons = await race(team.accept(stranger, token), team.revoke(invitation.id))
    assert len(answers) == 1
    joined = stranger.id in await team.members(team.owner)
    assert reasons == (["INVITATION_ALREADY_USED"] if joined else ["INVITATION_REVOKED"])
    assert isinstance(answers[0], pb.AcceptInvitationResponse) == joined


async def test_one_that_nobody_made_is_not_found(team: Team, refused: Refused) -> None:
    attempt = team.revoke("01890a5d-ac96-774b-bcce-b302099a8057")
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "INVITATION_NOT_FOUND")
