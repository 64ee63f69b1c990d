"""VerifyEmail: a token from a mail, good for 24 hours, and as often as it is followed."""

from __future__ import annotations

from datetime import timedelta

import grpc
from portico.auth.v1 import auth_service_pb2 as pb

from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.world import World, new_email

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def request(world: World, unverified: pb.RegisterResponse) -> pb.VerifyEmailRequest:
    mail = await world.mail(unverified.user.email, "verify_email")
    return pb.VerifyEmailRequest(token=mail["token"])


async def test_the_token_from_the_mail_proves_the_address(
    world: World, unverified: pb.RegisterResponse, audited: Audited
) -> None:
    user = (await world.auth.VerifyEmail(await request(world, unverified))).user
    assert (user.id, user.email_verified) == (unverified.user.id, True)
    assert await audited(user.id) == ["user.registered", "user.email_verified"]


async def test_who_follows_the_link_twice_gets_the_same_answer(
    world: World, unverified: pb.RegisterResponse, audited: Audited
) -> None:
    token = await request(world, unverified)
    first = await world.auth.VerifyEmail(token)
    assert await world.auth.VerifyEmail(token) == first
    assert await audited(first.user.id) == ["user.registered", "user.email_verified"]


async def test_of_two_who_use_a_token_at_once_both_hear_that_it_is_verified(
    world: World, unverified: pb.RegisterResponse, audited: Audited
) -> None:
    token = await request(world, unverified)
    answers, refusals = await race(*(world.auth.VerifyEmail(token) for _ in range(2)))
    assert refusals == []
    assert {answer.user.email_verified for answer in answers} == {True}
    actions = await audited(unverified.user.id)
    assert actions == ["user.registered", "user.email_verified"]


async def test_a_used_token_says_nothing_once_it_has_expired(
    world: World, unverified: pb.RegisterResponse, refused: Refused
) -> None:
    token = await request(world, unverified)
    await world.auth.VerifyEmail(token)
    with world.clock.later(timedelta(hours=24, seconds=1)):
        await refused(world.auth.VerifyEmail(token), INVALID, "TOKEN_INVALID")


async def test_a_used_token_says_nothing_once_the_account_has_another_address(
    world: World, unverified: pb.RegisterResponse, refused: Refused
) -> None:
    token = await request(world, unverified)
    await world.auth.VerifyEmail(token)
    await world.change_email(await world.sign_in(unverified.user.email), new_email())
    await refused(world.auth.VerifyEmail(token), INVALID, "TOKEN_INVALID")


async def test_a_token_holds_for_a_day(
    world: World, unverified: pb.RegisterResponse, refused: Refused
) -> None:
    token = await request(world, unverified)
    with world.clock.later(timedelta(hours=24, seconds=1)):
        await refused(world.auth.VerifyEmail(token), INVALID, "TOKEN_INVALID")
    assert (await world.auth.VerifyEmail(token)).user.email_verified


async def test_a_made_up_token_is_refused(world: World, refused: Refused) -> None:
    attempt = world.auth.VerifyEmail(pb.VerifyEmailRequest(token="made up"))
    await refused(attempt, INVALID, "TOKEN_INVALID")


async def test_a_missing_token_is_named(world: World, refused: Refused) -> None:
    attempt = world.auth.VerifyEmail(pb.VerifyEmailRequest())
    assert (await refused(attempt, INVALID, "VALIDATION_ERROR")).fields == ("token",)


async def test_a_token_to_choose_a_password_proves_no_address_here(
    world: World, unverified: pb.RegisterResponse, refused: Refused
) -> None:
    email = unverified.user.email
    await world.auth.ForgotPassword(pb.ForgotPasswordRequest(email=email))
    token = (await world.mail(email, "reset_password"))["token"]
    attempt = world.auth.VerifyEmail(pb.VerifyEmailRequest(token=token))
    await refused(attempt, INVALID, "TOKEN_INVALID")
