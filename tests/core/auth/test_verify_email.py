"""VerifyEmail: a token from a mail, good once, for 24 hours."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as pb

from tests.core.conftest import Audited, Refused
from tests.core.world import World, refusal

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


async def test_a_token_is_good_once(
    world: World, unverified: pb.RegisterResponse, refused: Refused
) -> None:
    token = await request(world, unverified)
    await world.auth.VerifyEmail(token)
    await refused(world.auth.VerifyEmail(token), INVALID, "TOKEN_INVALID")


async def test_of_two_who_use_a_token_at_once_one_succeeds(
    world: World, unverified: pb.RegisterResponse
) -> None:
    token = await request(world, unverified)
    attempts = (world.auth.VerifyEmail(token) for _ in range(2))
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    failures = [answer for answer in answers if isinstance(answer, aio.AioRpcError)]
    assert [refusal(failure).reason for failure in failures] == ["TOKEN_INVALID"]


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
