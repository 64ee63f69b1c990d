"""Accepting an invitation: once, in time, and by whom it was meant for."""

from __future__ import annotations

from datetime import timedelta

import grpc
from sqlalchemy import text

from tests.core.calls import race
from tests.core.conftest import Refused
from tests.core.organizations.conftest import Team
from tests.core.records import event
from tests.core.world import Person, World, new_email

CONFLICT = grpc.StatusCode.FAILED_PRECONDITION
DENIED = grpc.StatusCode.PERMISSION_DENIED


async def test_who_accepts_joins_with_the_role_that_was_offered(
    team: Team, world: World, stranger: Person
) -> None:
    answer = await team.accept(stranger, await team.invited(stranger, "member"))
    assert (answer.organization.id, answer.organization.role) == (team.organization_id, "member")
    assert (await team.members(stranger))[stranger.id] == "member"
    told = await event(world, team.organization_id, "member.added")
    assert (told.data["userId"], told.data["role"]) == (stranger.id, "member")


async def test_a_token_is_good_once(team: Team, stranger: Person, refused: Refused) -> None:
    token = await team.invited(stranger)
    await team.accept(stranger, token)
    await refused(team.accept(stranger, token), CONFLICT, "INVITATION_ALREADY_USED")


async def test_a_token_is_spent_even_when_the_member_has_left(
    team: Team, stranger: Person, refused: Refused
) -> None:
    token = await team.invited(stranger)
    await team.accept(stranger, token)
    await team.remove(team.owner, stranger)
    await refused(team.accept(stranger, token), CONFLICT, "INVITATION_ALREADY_USED")


async def test_of_two_who_bring_a_token_at_once_one_joins(team: Team, stranger: Person) -> None:
    token = await team.invited(stranger)
    answers, reasons = await race(*(team.accept(stranger, token) for _ in range(4)))
    assert (len(answers), reasons) == (1, ["INVITATION_ALREADY_USED"] * 3)


async def test_a_token_for_another_address_opens_nothing(
    team: Team, world: World, stranger: Person, refused: Refused
) -> None:
    guest = await world.new_person()
    token = await team.invited(guest)
    await refused(team.accept(stranger, token), DENIED, "INVITATION_FOR_ANOTHER_ADDRESS")
    await team.accept(guest, token)


async def test_an_address_counts_only_once_it_is_shown_to_be_the_callers(
    team: Team, world: World, stranger: Person, refused: Refused
) -> None:
    token = await team.invited(stranger)
    async with world.engine.begin() as connection:
        await connection.execute(
            text("update users set email_verified_at = null where id = :id"), {"id": stranger.id}
        )
    await refused(team.accept(stranger, token), DENIED, "INVITATION_FOR_ANOTHER_ADDRESS")


async def test_after_seven_days_it_is_too_late(
    team: Team, world: World, stranger: Person, refused: Refused
) -> None:
    token = await team.invited(stranger)
    with world.clock.later(timedelta(days=7, seconds=1)):
        late = await world.sign_in(stranger.email)
        await refused(team.accept(late, token), CONFLICT, "INVITATION_EXPIRED")
    await team.accept(stranger, token)


async def test_a_token_that_nobody_sent_is_not_found(
    team: Team, stranger: Person, refused: Refused
) -> None:
    for token in ("made up", new_email()):
        attempt = team.accept(stranger, token)
        await refused(attempt, grpc.StatusCode.NOT_FOUND, "INVITATION_NOT_FOUND")


async def test_a_missing_token_is_named(team: Team, stranger: Person, refused: Refused) -> None:
    attempt = team.accept(stranger, "")
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("token",)
