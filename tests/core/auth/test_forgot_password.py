"""ForgotPassword: a mail for who has an account, and nobody can tell who that is."""

from __future__ import annotations

import grpc
from portico.auth.v1 import auth_service_pb2 as pb
from sqlalchemy import text

from tests.core.calls import statements
from tests.core.conftest import Refused
from tests.core.world import Person, World, new_email


def forgot(email: str) -> pb.ForgotPasswordRequest:
    return pb.ForgotPasswordRequest(email=email)


async def test_a_person_is_mailed_a_link(world: World, owner: Person) -> None:
    await world.auth.ForgotPassword(forgot(owner.email.upper()))
    mail = await world.mail(owner.email, "reset_password")
    assert mail["token"]
    assert mail["display_name"] == "Ada"


async def test_an_unknown_address_gets_the_same_answer_and_no_mail(
    world: World, owner: Person
) -> None:
    email = new_email()
    known = await world.auth.ForgotPassword(forgot(owner.email))
    assert await world.auth.ForgotPassword(forgot(email)) == known
    assert await world.mails(email, "reset_password") == []


async def test_an_unknown_address_costs_the_same_statements(world: World, owner: Person) -> None:
    with statements(world.engine) as for_known:
        await world.auth.ForgotPassword(forgot(owner.email))
    with statements(world.engine) as for_unknown:
        await world.auth.ForgotPassword(forgot(new_email()))
    assert for_unknown == for_known
    assert sum("INSERT INTO" in statement for statement in for_known) == 3


async def test_a_suspended_person_is_mailed_nothing(world: World, owner: Person) -> None:
    async with world.engine.begin() as connection:
        statement = text("update users set status = 'suspended' where id = :id")
        await connection.execute(statement, {"id": owner.id})
    await world.auth.ForgotPassword(forgot(owner.email))
    assert await world.mails(owner.email, "reset_password") == []


async def test_an_address_is_mailed_three_times_an_hour_at_most(
    world: World, owner: Person, refused: Refused
) -> None:
    for _ in range(3):
        await world.auth.ForgotPassword(forgot(owner.email))
    found = await refused(
        world.auth.ForgotPassword(forgot(owner.email.upper())),
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "RATE_LIMIT_EXCEEDED",
    )
    assert found.retry_after is not None
    assert found.retry_after > 0
    assert len(await world.mails(owner.email, "reset_password")) == 3


async def test_what_is_no_address_is_refused(world: World, refused: Refused) -> None:
    attempt = world.auth.ForgotPassword(forgot("nobody"))
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("email",)
