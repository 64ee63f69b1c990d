"""RequestEmailChange: a link to the new address; nothing changes before it is followed."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.email_changes.v1 import email_change_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users

from tests.core.calls import race, statements
from tests.core.conftest import Audited, Refused
from tests.core.email_changes.conftest import (
    NEW_PASSWORD,
    address,
    confirm,
    request_change,
)
from tests.core.world import Person, World, new_email

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_the_new_address_is_mailed_a_link_and_nothing_changes_yet(
    world: World, owner: Person, audited: Audited
) -> None:
    email = new_email()
    await request_change(world, owner, email.upper())
    mail = await world.mail(email, "confirm_email_change")
    assert (bool(mail["token"]), mail["display_name"]) == (True, "Ada")
    assert await address(world, owner) == owner.email
    assert (await world.sign_in(owner.email)).id == owner.id
    assert "user.email_change_requested" in await audited(owner.id)


async def test_only_who_knows_the_current_password_can_ask(
    world: World, owner: Person, refused: Refused
) -> None:
    email = new_email()
    attempt = request_change(world, owner, email, "another password")
    found = await refused(attempt, INVALID, "CURRENT_PASSWORD_WRONG")
    assert found.fields == ("current_password",)
    assert await world.mails(email, "confirm_email_change") == []


async def test_only_who_is_signed_in_can_ask(world: World, refused: Refused) -> None:
    request = pb.RequestEmailChangeRequest(new_email=new_email(), current_password="any")
    attempt = world.email_changes.RequestEmailChange(request)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_the_address_of_now_is_refused(world: World, owner: Person, refused: Refused) -> None:
    attempt = request_change(world, owner, owner.email.upper())
    assert (await refused(attempt, INVALID, "EMAIL_UNCHANGED")).fields == ("new_email",)


async def test_an_address_that_has_an_account_gets_the_same_answer(
    world: World, owner: Person, stranger: Person
) -> None:
    free = await request_change(world, owner, new_email())
    assert await request_change(world, owner, stranger.email) == free
    assert await world.mails(stranger.email, "confirm_email_change") == []
    assert await world.mails(stranger.email, "email_change_attempted") == [{}]


async def test_an_address_that_has_an_account_costs_the_same_statements(
    world: World, owner: Person, stranger: Person
) -> None:
    with statements(world.engine) as for_free:
        await request_change(world, owner, new_email())
    with statements(world.engine) as for_taken:
        await request_change(world, owner, stranger.email)
    assert for_taken == for_free
    assert len(for_free) > 4


async def test_a_new_request_replaces_the_pending_one(
    world: World, owner: Person, refused: Refused
) -> None:
    first, second = new_email(), new_email()
    replaced = await world.request_email_change(owner, first)
    token = await world.request_email_change(owner, second)
    await refused(confirm(world, replaced), INVALID, "TOKEN_INVALID")
    assert (await confirm(world, token)).user.email == second


async def test_of_requests_at_once_one_stays_and_its_token_is_for_its_address(
    world: World, owner: Person
) -> None:
    """No token confirms another address than the one that it was mailed to."""
    emails = [new_email() for _ in range(4)]
    answers, refusals = await race(*(request_change(world, owner, email) for email in emails))
    assert (len(answers), refusals) == (4, [])
    tokens = [(await world.mail(email, "confirm_email_change"))["token"] for email in emails]
    confirmed, refusals = await race(*(confirm(world, token) for token in tokens))
    assert refusals == ["TOKEN_INVALID"] * 3
    mine = dict(zip(tokens, emails, strict=True))
    again = [token for token in tokens if await is_confirmed(world, token)]
    assert [mine[token] for token in again] == [answer.user.email for answer in confirmed]


async def is_confirmed(world: World, token: str) -> bool:
    """Whether a link says that its address is the account's."""
    answers, _ = await race(confirm(world, token))
    return bool(answers)


async def test_a_request_for_an_address_that_is_taken_replaces_the_pending_one_too(
    world: World, owner: Person, stranger: Person, refused: Refused
) -> None:
    replaced = await world.request_email_change(owner, new_email())
    await request_change(world, owner, stranger.email)
    await refused(confirm(world, replaced), INVALID, "TOKEN_INVALID")


async def test_an_address_is_mailed_three_times_an_hour_whoever_asks(
    world: World, owner: Person, stranger: Person, refused: Refused
) -> None:
    email = new_email()
    for person in (owner, stranger, owner):
        await request_change(world, person, email)
    attempt = request_change(world, stranger, email)
    found = await refused(attempt, grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    assert found.retry_after


async def test_the_mails_of_strangers_keep_nobody_from_registering(
    world: World, owner: Person
) -> None:
    email = new_email()
    for _ in range(3):
        await request_change(world, owner, email)
    assert (await world.new_person(email)).email == email


@pytest.mark.parametrize("change", ["password", "reset", "suspension"])
async def test_what_ends_links_ends_the_pending_change(
    world: World, owner: Person, administrator: Person, refused: Refused, change: str
) -> None:
    token = await world.request_email_change(owner, new_email())
    if change == "password":
        await world.users.ChangePassword(
            users.ChangePasswordRequest(current_password=owner.password, new_password=NEW_PASSWORD),
            metadata=owner.metadata,
        )
    elif change == "reset":
        await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=owner.email))
        reset = (await world.mail(owner.email, "reset_password"))["token"]
        await world.auth.ResetPassword(
            auth.ResetPasswordRequest(token=reset, new_password=NEW_PASSWORD)
        )
    else:
        await world.users.UpdateUser(
            users.UpdateUserRequest(user_id=owner.id, status="suspended"),
            metadata=administrator.metadata,
        )
    await refused(confirm(world, token), INVALID, "TOKEN_INVALID")


async def test_a_link_is_good_for_a_day(world: World, owner: Person, refused: Refused) -> None:
    email = new_email()
    token = await world.request_email_change(owner, email)
    with world.clock.later(timedelta(hours=24, seconds=1)):
        await refused(confirm(world, token), INVALID, "TOKEN_INVALID")
    assert (await confirm(world, token)).user.email == email
