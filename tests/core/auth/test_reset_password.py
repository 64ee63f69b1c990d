"""ResetPassword: a token from a mail sets a new password, and every session ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users

from tests.core.conftest import Audited, Refused
from tests.core.users.conftest import administrator as administrator
from tests.core.world import Person, World, new_email, refusal

NEW_PASSWORD = "a different long sentence"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


async def token_for(world: World, email: str) -> str:
    await world.auth.ForgotPassword(pb.ForgotPasswordRequest(email=email))
    return (await world.mail(email, "reset_password"))["token"]


def reset(
    world: World, token: str, password: str = NEW_PASSWORD
) -> aio.UnaryUnaryCall[pb.ResetPasswordRequest, pb.ResetPasswordResponse]:
    return world.auth.ResetPassword(pb.ResetPasswordRequest(token=token, new_password=password))


async def test_the_new_password_signs_in_and_the_old_one_does_not(
    world: World, owner: Person, refused: Refused, audited: Audited
) -> None:
    await reset(world, await token_for(world, owner.email))
    assert (await world.sign_in(owner.email, NEW_PASSWORD)).id == owner.id
    attempt = world.auth.Login(pb.LoginRequest(email=owner.email, password=owner.password))
    await refused(attempt, UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert "user.password_reset" in await audited(owner.id)


async def test_every_session_ends(world: World, owner: Person, refused: Refused) -> None:
    people = [owner, await world.sign_in(owner.email)]
    await reset(world, await token_for(world, owner.email))
    for person in people:
        attempt = world.users.GetMe(users.GetMeRequest(), metadata=person.metadata)
        await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")
        refresh = pb.RefreshTokenRequest(refresh_token=person.refresh_token)
        await refused(world.auth.RefreshToken(refresh), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def test_the_mail_has_shown_whose_the_address_is(
    world: World, unverified: pb.RegisterResponse
) -> None:
    email = unverified.user.email
    await reset(world, await token_for(world, email))
    answer = await world.auth.Login(pb.LoginRequest(email=email, password=NEW_PASSWORD))
    assert answer.user.email_verified


async def test_a_token_is_good_once(world: World, owner: Person, refused: Refused) -> None:
    token = await token_for(world, owner.email)
    await reset(world, token)
    await refused(reset(world, token, "yet another sentence"), INVALID, "TOKEN_INVALID")
    assert (await world.sign_in(owner.email, NEW_PASSWORD)).id == owner.id


async def test_of_two_who_use_a_token_at_once_one_succeeds(world: World, owner: Person) -> None:
    token = await token_for(world, owner.email)
    passwords = ["the sentence of the one", "the sentence of the other"]
    attempts = (reset(world, token, password) for password in passwords)
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    failed = [isinstance(answer, aio.AioRpcError) for answer in answers]
    assert sorted(failed) == [False, True]
    loser = answers[failed.index(True)]
    assert isinstance(loser, aio.AioRpcError)
    assert refusal(loser).reason == "TOKEN_INVALID"
    assert (await world.sign_in(owner.email, passwords[failed.index(False)])).id == owner.id


async def test_what_else_was_mailed_is_of_no_use_afterwards(
    world: World, owner: Person, refused: Refused
) -> None:
    earlier = await token_for(world, owner.email)
    await reset(world, await token_for(world, owner.email))
    await refused(reset(world, earlier), INVALID, "TOKEN_INVALID")


async def test_of_two_links_that_are_used_at_once_one_succeeds(world: World, owner: Person) -> None:
    tokens = [await token_for(world, owner.email) for _ in range(2)]
    passwords = ["the sentence of the one", "the sentence of the other"]
    answers = await asyncio.gather(
        *map(reset, [world] * 2, tokens, passwords), return_exceptions=True
    )
    failed = [isinstance(answer, aio.AioRpcError) for answer in answers]
    assert sorted(failed) == [False, True]
    loser = answers[failed.index(True)]
    assert isinstance(loser, aio.AioRpcError)
    assert refusal(loser).reason == "TOKEN_INVALID"
    assert (await world.sign_in(owner.email, passwords[failed.index(False)])).id == owner.id
    assert len(await world.mails(owner.email, "password_changed")) == 1


async def test_the_link_with_which_a_first_password_is_chosen_ends_with_the_others(
    world: World, administrator: Person, refused: Refused
) -> None:
    email = new_email()
    created = users.CreateUserRequest(email=email, display_name="Ada")
    await world.users.CreateUser(created, metadata=administrator.metadata)
    first = (await world.mail(email, "choose_password"))["token"]
    await reset(world, await token_for(world, email))
    await refused(reset(world, first, "yet another sentence"), INVALID, "TOKEN_INVALID")
    assert await world.sign_in(email, NEW_PASSWORD)


async def test_the_present_password_is_refused_and_leaves_the_token_good(
    world: World, owner: Person, refused: Refused
) -> None:
    token = await token_for(world, owner.email)
    found = await refused(reset(world, token, owner.password), INVALID, "VALIDATION_ERROR")
    assert (found.fields, found.reasons) == (("new_password",), ("PASSWORD_UNCHANGED",))
    await reset(world, token)


async def test_the_owner_is_told_by_mail(world: World, owner: Person) -> None:
    await reset(world, await token_for(world, owner.email))
    (notice,) = await world.mails(owner.email, "password_changed")
    assert notice["changed_at"].endswith(" UTC")


async def test_a_suspension_ends_the_links_that_were_mailed(
    world: World, owner: Person, administrator: Person, refused: Refused
) -> None:
    token = await token_for(world, owner.email)
    for status in ("suspended", "active"):
        request = users.UpdateUserRequest(user_id=owner.id, status=status)
        await world.users.UpdateUser(request, metadata=administrator.metadata)
    await refused(reset(world, token), INVALID, "TOKEN_INVALID")


async def test_a_token_holds_for_an_hour(world: World, owner: Person, refused: Refused) -> None:
    token = await token_for(world, owner.email)
    with world.clock.later(timedelta(hours=1, seconds=1)):
        await refused(reset(world, token), INVALID, "TOKEN_INVALID")


@pytest.mark.parametrize("password", ["short", "passwordpassword"])
async def test_a_weak_password_is_refused_and_leaves_the_token_good(
    world: World, owner: Person, password: str, refused: Refused
) -> None:
    token = await token_for(world, owner.email)
    found = await refused(reset(world, token, password), INVALID, "VALIDATION_ERROR")
    assert found.fields == ("new_password",)
    await reset(world, token)


async def test_a_password_with_the_address_in_it_is_refused(
    world: World, owner: Person, refused: Refused
) -> None:
    attempt = reset(world, await token_for(world, owner.email), f"it is {owner.email}")
    assert (await refused(attempt, INVALID, "VALIDATION_ERROR")).fields == ("new_password",)


async def test_a_token_that_verifies_an_address_sets_no_password(
    world: World, unverified: pb.RegisterResponse, refused: Refused
) -> None:
    token = (await world.mail(unverified.user.email, "verify_email"))["token"]
    await refused(reset(world, token), INVALID, "TOKEN_INVALID")


async def test_a_made_up_token_is_refused(world: World, refused: Refused) -> None:
    await refused(reset(world, "made up"), INVALID, "TOKEN_INVALID")
