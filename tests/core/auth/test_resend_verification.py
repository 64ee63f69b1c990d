"""ResendVerification: another link for who has not followed the first, the same for all to see."""

from __future__ import annotations

import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as pb
from sqlalchemy import text

from tests.core.auth.conftest import registration
from tests.core.calls import statements
from tests.core.conftest import Refused
from tests.core.world import Person, World, new_email

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def resend(
    world: World, email: str
) -> aio.UnaryUnaryCall[pb.ResendVerificationRequest, pb.ResendVerificationResponse]:
    return world.auth.ResendVerification(pb.ResendVerificationRequest(email=email))


async def test_who_has_not_verified_gets_another_link(
    world: World, unverified: pb.RegisterResponse
) -> None:
    email = unverified.user.email
    await resend(world, email.upper())
    first, second = await world.mails(email, "verify_email")
    assert second["display_name"] == "Ada"
    verified = await world.auth.VerifyEmail(pb.VerifyEmailRequest(token=second["token"]))
    assert verified.user.email_verified
    # The other link says so, too.
    again = await world.auth.VerifyEmail(pb.VerifyEmailRequest(token=first["token"]))
    assert again.user == verified.user


async def test_a_link_that_was_never_followed_proves_nothing_once_the_address_has_changed(
    world: World, unverified: pb.RegisterResponse, refused: Refused
) -> None:
    email = unverified.user.email
    await resend(world, email)
    first, second = await world.mails(email, "verify_email")
    await world.auth.VerifyEmail(pb.VerifyEmailRequest(token=second["token"]))
    await world.change_email(await world.sign_in(email), new_email())
    attempt = world.auth.VerifyEmail(pb.VerifyEmailRequest(token=first["token"]))
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "TOKEN_INVALID")


async def test_who_has_verified_and_who_has_no_account_get_the_same_answer_and_no_mail(
    world: World, unverified: pb.RegisterResponse, owner: Person
) -> None:
    answer = await resend(world, unverified.user.email)
    for email in (owner.email, new_email()):
        assert await resend(world, email) == answer
        assert await world.mails(email, "verify_email") == []


async def test_every_address_costs_the_same_statements(
    world: World, unverified: pb.RegisterResponse, owner: Person
) -> None:
    sent = []
    for email in (unverified.user.email, owner.email, new_email()):
        with statements(world.engine) as asked:
            await resend(world, email)
        sent.append(asked)
    assert sent[1:] == sent[:1] * 2
    assert sum("INSERT INTO" in statement for statement in sent[0]) == 3


@pytest.mark.parametrize("whose", ["unverified", "verified", "nobody"])
async def test_every_address_has_the_same_budget(
    world: World, unverified: pb.RegisterResponse, owner: Person, refused: Refused, whose: str
) -> None:
    addresses = {
        "unverified": unverified.user.email,
        "verified": owner.email,
        "nobody": new_email(),
    }
    for _ in range(3):
        await resend(world, addresses[whose])
    found = await refused(resend(world, addresses[whose]), EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    assert found.retry_after


async def test_who_has_links_sent_to_an_address_keeps_nobody_from_registering_it(
    world: World,
) -> None:
    email = new_email()
    for _ in range(3):
        await resend(world, email)
    assert (await world.auth.Register(registration(email))).user.email == email


async def test_a_suspended_account_is_mailed_nothing(
    world: World, unverified: pb.RegisterResponse
) -> None:
    email = unverified.user.email
    async with world.engine.begin() as connection:
        statement = text("update users set status = 'suspended' where id = :id")
        await connection.execute(statement, {"id": unverified.user.id})
    await resend(world, email)
    assert len(await world.mails(email, "verify_email")) == 1


async def test_what_is_no_address_is_refused(world: World, refused: Refused) -> None:
    found = await refused(
        resend(world, "nobody"), grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR"
    )
    assert found.fields == ("email",)
