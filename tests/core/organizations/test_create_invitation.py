"""Inviting: one pending invitation for an address, and its token only in the mail."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest
from portico.organizations.v1 import organization_service_pb2 as pb

from server.app import ROLES
from server.features.emails.names import EMAIL_TASK
from tests.core.calls import headers, race
from tests.core.conftest import Refused
from tests.core.organizations.conftest import Team
from tests.core.records import audit_entry, event
from tests.core.world import World, new_email

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_the_address_gets_a_mail_with_the_token(team: Team, world: World) -> None:
    email = new_email()
    world.notifier.tasks.clear()
    call = world.organizations.CreateInvitation(
        pb.CreateInvitationRequest(
            organization_id=team.organization_id, email=email, role="member"
        ),
        metadata=team.owner.metadata,
    )
    made = (await call).invitation
    assert (made.email, made.role, made.status) == (email, "member", "pending")
    assert made.invited_by == team.owner.id
    lifetime = made.expires_at.ToDatetime() - made.created_at.ToDatetime()
    assert abs(lifetime - timedelta(days=7)) < timedelta(seconds=5)
    assert (await headers(call))["location"] == f"/api/v1/invitations/{made.id}"
    mail = await world.mail(email, "invitation")
    assert (mail["inviter_name"], mail["role"]) == ("Ada", "member")
    assert mail["organization_name"].startswith("Tenant")
    assert EMAIL_TASK in world.notifier.tasks


async def test_the_token_is_in_the_mail_and_nowhere_else(team: Team, world: World) -> None:
    email = new_email()
    answer = await team.invite(email)
    token = (await world.mail(email, "invitation"))["token"]
    told = await event(world, team.organization_id, "invitation.created")
    entry = await audit_entry(world, team.organization_id, "invitation.created")
    assert token not in f"{answer} {told.data} {entry.details}"
    assert email not in str(entry.details)


async def test_an_address_is_the_same_however_it_is_written(team: Team, refused: Refused) -> None:
    email = new_email()
    assert (await team.invite(email.upper())).invitation.email == email
    await refused(team.invite(email), grpc.StatusCode.ALREADY_EXISTS, "INVITATION_PENDING")


async def test_of_invitations_at_once_one_is_made(team: Team, world: World) -> None:
    email = new_email()
    answers, reasons = await race(*(team.invite(email) for _ in range(5)))
    assert (len(answers), reasons) == (1, ["INVITATION_PENDING"] * 4)
    assert len(await world.mails(email, "invitation")) == 1


async def test_a_member_is_not_invited(team: Team, refused: Refused) -> None:
    member = await team.joined("viewer")
    attempt = team.invite(member.email.upper())
    await refused(attempt, grpc.StatusCode.ALREADY_EXISTS, "ALREADY_MEMBER")


async def test_an_invitation_that_has_expired_makes_room_for_a_new_one(
    team: Team, world: World
) -> None:
    guest = await world.new_person()
    await team.invite(guest.email)
    with world.clock.later(timedelta(days=7, seconds=1)):
        owner = await world.sign_in(team.owner.email)
        assert await team.statuses() == ["expired"]
        await team.invite(guest.email, by=owner)
        assert await team.statuses() == ["pending", "expired"]
        token = (await world.mail(guest.email, "invitation"))["token"]
        await team.accept(await world.sign_in(guest.email), token)
        assert await team.statuses() == ["accepted", "expired"]


async def test_an_invitation_that_was_taken_back_makes_room_for_a_new_one(team: Team) -> None:
    email = new_email()
    await team.revoke((await team.invite(email)).invitation.id)
    await team.invite(email)
    assert await team.statuses() == ["pending", "revoked"]


async def test_an_admin_invites_no_owner(team: Team, refused: Refused) -> None:
    admin = await team.joined("admin")
    attempt = team.invite(new_email(), "owner", by=admin)
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_GRANTABLE")
    await team.invite(new_email(), "admin", by=admin)


async def test_an_api_key_invites_in_the_name_of_the_organization(team: Team, world: World) -> None:
    scopes = ("members:write", *ROLES["viewer"])
    key = await world.new_key(team.organization_id, team.owner, *scopes)
    email = new_email()
    answer = await world.organizations.CreateInvitation(
        pb.CreateInvitationRequest(
            organization_id=team.organization_id, email=email, role="viewer"
        ),
        metadata=await world.key_metadata(key.secret),
    )
    assert answer.invitation.invited_by == ""
    mail = await world.mail(email, "invitation")
    assert mail["inviter_name"] == mail["organization_name"]


@pytest.mark.parametrize(
    ("email", "role", "blamed"),
    [
        ("", "viewer", "email"),
        ("not an address", "viewer", "email"),
        (f"{'a' * 250}@example.com", "viewer", "email"),
        ("ada@example.com", "", "role"),
        ("ada@example.com", "emperor", "role"),
    ],
)
async def test_what_is_malformed_is_named(
    team: Team, email: str, role: str, blamed: str, refused: Refused
) -> None:
    attempt = team.invite(email, role)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert set(found.fields) == {blamed}


async def test_an_address_is_invited_three_times_an_hour_at_the_most_whoever_invites(
    team: Team, world: World, refused: Refused
) -> None:
    email = new_email()
    for _ in range(3):
        await team.revoke((await team.invite(email)).invitation.id)
    found = await refused(team.invite(email), EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    assert found.retry_after is not None
    assert found.retry_after > 0
    other = await world.new_person()
    others = Team(world, await world.new_organization(other), other)
    await refused(others.invite(email), EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    assert len(await world.mails(email, "invitation")) == 3
    assert await team.statuses() == ["revoked"] * 3
    assert await others.statuses() == []


async def test_invitations_at_once_do_not_exceed_the_budget_of_who_sends_them(
    team: Team, world: World
) -> None:
    emails = [new_email() for _ in range(24)]
    answers, reasons = await race(*(team.invite(email) for email in emails))
    assert len(answers) == 20
    assert set(reasons) == {"RATE_LIMIT_EXCEEDED"}
    mails = [await world.mails(email, "invitation") for email in emails]
    assert sum(map(len, mails)) == 20
    assert len(await team.statuses()) == 20


async def test_an_organization_has_one_budget_for_mails_whoever_invites(
    team: Team, world: World, refused: Refused
) -> None:
    admin = await team.joined("admin")  # the first of 20
    for number in range(19):
        await team.invite(new_email(), by=(team.owner, admin)[number % 2])
    for person in (team.owner, admin):
        attempt = team.invite(new_email(), by=person)
        await refused(attempt, EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    stranger = await world.new_person()
    other = Team(world, await world.new_organization(stranger), stranger)
    await other.invite(new_email())


async def test_who_is_refused_takes_nothing_from_the_budgets(
    team: Team, world: World, refused: Refused
) -> None:
    email = new_email()
    for _ in range(3):
        await team.revoke((await team.invite(email)).invitation.id)
    for _ in range(20):
        await refused(team.invite(email), EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    await team.invite(new_email())


async def test_used_up_invitations_do_not_keep_an_address_from_an_account(
    team: Team, world: World
) -> None:
    email = new_email()
    for _ in range(3):
        await team.revoke((await team.invite(email)).invitation.id)
    assert (await world.new_person(email)).email == email


async def test_an_international_address_is_the_same_however_it_is_written(
    team: Team, refused: Refused
) -> None:
    local = new_email().partition("@")[0]
    made = await team.invite(f"{local}@bücher.example")
    assert made.invitation.email == f"{local}@xn--bcher-kva.example"
    again = team.invite(f"{local}@XN--bcher-kva.example")
    await refused(again, grpc.StatusCode.ALREADY_EXISTS, "INVITATION_PENDING")
