"""Attempts at what signs somebody in: how many there are, for whom, and who hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users
from prometheus_client import REGISTRY
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from server.common.records import AuditEntry
from tests.core.calls import race, statements
from tests.core.conftest import Audited, Refused
from tests.core.world import PASSWORD, Person, World, new_email, refusal

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
INVALID = grpc.StatusCode.INVALID_ARGUMENT
WINDOW = timedelta(minutes=15)
# More than any pause between two attempts.
APART = timedelta(seconds=20)


@pytest.fixture(autouse=True)
def clock_of_its_own(world: World) -> Iterator[None]:
    """What a test moves the clock by, it is moved back by afterwards."""
    with world.clock.later(timedelta(0)):
        yield


def login(
    world: World, email: str, password: str = PASSWORD, device: str = ""
) -> aio.UnaryUnaryCall[pb.LoginRequest, pb.LoginResponse]:
    request = pb.LoginRequest(email=email, password=password, device_token=device)
    return world.auth.Login(request)


async def fail(world: World, email: str, times: int, device: str = "") -> list[str]:
    """So many wrong passwords; the clock goes on between them. Gives how each was refused."""
    reasons = []
    for _ in range(times):
        _, refusals = await race(login(world, email, "wrong", device))
        reasons += refusals
        world.clock.advance(APART)
    return reasons


async def device_of(world: World, person: Person) -> str:
    """The token of a device from which somebody has signed in."""
    return (await login(world, person.email)).device_token


async def test_the_sixth_attempt_waits(world: World, owner: Person, refused: Refused) -> None:
    for _ in range(5):
        attempt = login(world, owner.email, "wrong")
        await refused(attempt, UNAUTHENTICATED, "INVALID_CREDENTIALS")
    found = await refused(login(world, owner.email), EXHAUSTED, "TOO_MANY_ATTEMPTS")
    assert found.retry_after is not None
    assert 0 < found.retry_after <= 1
    world.clock.advance(timedelta(seconds=found.retry_after))
    assert (await login(world, owner.email)).user.id == owner.id


async def test_after_ten_in_a_quarter_of_an_hour_also_the_right_one_is_refused(
    world: World, owner: Person, refused: Refused
) -> None:
    began = world.clock()
    assert await fail(world, owner.email, 10) == ["INVALID_CREDENTIALS"] * 10
    found = await refused(login(world, owner.email), EXHAUSTED, "TOO_MANY_ATTEMPTS")
    assert found.retry_after is not None
    left = (began + WINDOW - world.clock()).total_seconds()
    assert left - 5 < found.retry_after < left + 5
    world.clock.advance(timedelta(seconds=found.retry_after))
    assert (await login(world, owner.email)).user.id == owner.id


async def test_an_address_that_nobody_has_is_answered_the_same(world: World, owner: Person) -> None:
    async def answers(email: str) -> list[tuple[object, ...]]:
        found: list[tuple[object, ...]] = []
        for _ in range(12):
            try:
                await login(world, email, "wrong")
            except aio.AioRpcError as error:
                one = refusal(error)
                wait = None if one.retry_after is None else round(one.retry_after / 10)
                found.append((one.code, one.reason, one.message, one.metadata, wait))
            world.clock.advance(APART)
        return found

    of_somebody, of_nobody = await answers(owner.email), await answers(new_email())
    assert of_somebody == of_nobody
    assert of_somebody[-1][1] == "TOO_MANY_ATTEMPTS"


async def test_of_a_hundred_at_once_ten_are_checked(world: World, owner: Person) -> None:
    attempts = (login(world, owner.email, f"guess {n}") for n in range(100))
    _, reasons = await race(*attempts)
    assert sorted(reasons) == ["INVALID_CREDENTIALS"] * 10 + ["TOO_MANY_ATTEMPTS"] * 90
    assert len(await world.mails(owner.email, "sign_in_blocked")) == 1


async def test_who_knows_the_password_clears_nothing_for_a_guesser(
    world: World, owner: Person
) -> None:
    for _ in range(9):
        await fail(world, owner.email, 1)
        await login(world, owner.email)
    assert await fail(world, owner.email, 2) == ["INVALID_CREDENTIALS", "TOO_MANY_ATTEMPTS"]


async def test_a_stranger_does_not_lock_out_a_device_that_signed_in_before(
    world: World, owner: Person, refused: Refused
) -> None:
    device = await device_of(world, owner)
    await fail(world, owner.email, 10)
    await refused(login(world, owner.email), EXHAUSTED, "TOO_MANY_ATTEMPTS")
    answer = await login(world, owner.email, device=device)
    assert (answer.user.id, answer.device_token) == (owner.id, device)


async def test_a_device_has_no_more_guesses_than_a_stranger(world: World, owner: Person) -> None:
    device = await device_of(world, owner)
    reasons = await fail(world, owner.email, 11, device)
    assert reasons == ["INVALID_CREDENTIALS"] * 10 + ["TOO_MANY_ATTEMPTS"]
    assert (await login(world, owner.email)).user.id == owner.id


async def test_a_device_that_is_made_up_or_of_another_account_is_a_stranger(
    world: World, owner: Person, stranger: Person, refused: Refused
) -> None:
    others = await device_of(world, stranger)
    changed = others[:-1] + ("A" if others[-1] != "A" else "B")
    await fail(world, owner.email, 10)
    for device in ("x", "é" * 60, "A" * 64, "A" * 200, others, changed, others + "=="):
        attempt = login(world, owner.email, device=device)
        await refused(attempt, EXHAUSTED, "TOO_MANY_ATTEMPTS")


async def test_a_new_device_at_each_attempt_is_one_stranger(world: World, owner: Person) -> None:
    others = [await world.new_person() for _ in range(6)]
    tokens = [await device_of(world, other) for other in others]
    reasons = [(await race(login(world, owner.email, "wrong", one)))[1][0] for one in tokens]
    assert reasons == ["INVALID_CREDENTIALS"] * 5 + ["TOO_MANY_ATTEMPTS"]


async def change(world: World, metadata: tuple[tuple[str, str], ...], current: str) -> None:
    request = users.ChangePasswordRequest(
        current_password=current, new_password="a different long sentence"
    )
    await world.users.ChangePassword(request, metadata=metadata)


async def test_the_current_password_and_the_sign_in_share_a_budget(
    world: World, owner: Person, refused: Refused, audited: Audited
) -> None:
    answer = await login(world, owner.email)
    bearer = (("authorization", f"Bearer {answer.access_token}"),)
    assert await fail(world, owner.email, 6, answer.device_token) == ["INVALID_CREDENTIALS"] * 6
    for _ in range(4):
        await refused(change(world, bearer, "wrong"), INVALID, "CURRENT_PASSWORD_WRONG")
        world.clock.advance(APART)
    await refused(change(world, bearer, PASSWORD), EXHAUSTED, "TOO_MANY_ATTEMPTS")
    attempt = login(world, owner.email, device=answer.device_token)
    await refused(attempt, EXHAUSTED, "TOO_MANY_ATTEMPTS")
    assert len(await world.mails(owner.email, "sign_in_blocked")) == 1
    assert "login.blocked" in await audited(owner.id)


async def test_a_stranger_keeps_nobody_from_changing_their_password(
    world: World, owner: Person
) -> None:
    await fail(world, owner.email, 10)
    await change(world, owner.metadata, PASSWORD)


async def test_a_session_from_before_there_were_devices_has_a_budget_of_its_own(
    world: World, owner: Person, refused: Refused
) -> None:
    async with world.engine.begin() as connection:
        statement = text("update sessions set device_hash = null where user_id = :id")
        await connection.execute(statement, {"id": owner.id})
    for _ in range(10):
        await refused(change(world, owner.metadata, "x"), INVALID, "CURRENT_PASSWORD_WRONG")
        world.clock.advance(APART)
    await refused(change(world, owner.metadata, "x"), EXHAUSTED, "TOO_MANY_ATTEMPTS")
    assert (await login(world, owner.email)).user.id == owner.id


async def test_the_owner_hears_once_when_where_and_what_to_do(
    world: World, owner: Person, audited: Audited
) -> None:
    await fail(world, owner.email, 15)
    (mail,) = await world.mails(owner.email, "sign_in_blocked")
    assert mail["client_address"] in ("127.0.0.1", "::1")
    assert mail["blocked_at"].endswith(" UTC")
    assert (await audited(owner.id)).count("login.blocked") == 1
    assert (await audited(owner.id)).count("login.failed") == 10


async def test_nobody_is_mailed_for_an_address_without_an_account_or_a_suspended_one(
    world: World, owner: Person
) -> None:
    email = new_email()
    await fail(world, email, 12)
    assert await world.mails(email, "sign_in_blocked") == []
    assert await world.mails("nobody@example.invalid", "sign_in_blocked") == []
    async with world.engine.begin() as connection:
        statement = text("update users set status = 'suspended' where id = :id")
        await connection.execute(statement, {"id": owner.id})
    await fail(world, owner.email, 12)
    assert await world.mails(owner.email, "sign_in_blocked") == []


async def test_the_last_failure_costs_an_unknown_address_the_same_statements(
    world: World, owner: Person
) -> None:
    world.clock.advance(timedelta(hours=2))  # no other test's failures are near
    nobody = new_email()
    for email in (owner.email, nobody):
        await fail(world, email, 9)
    with statements(world.engine) as for_known:
        await fail(world, owner.email, 1)
    with statements(world.engine) as for_unknown:
        await fail(world, nobody, 1)
    assert for_unknown == for_known
    assert any("INSERT INTO emails" in statement for statement in for_known)


async def test_an_address_that_no_mail_can_be_written_to_is_refused_like_any(
    world: World,
) -> None:
    local = "a" * 60 + '=?utf-8?q?"<>,;' + new_email().partition("@")[0]
    reasons = await fail(world, f"{local}@{'ü' * 50}.example", 12)
    assert reasons == ["INVALID_CREDENTIALS"] * 10 + ["TOO_MANY_ATTEMPTS"] * 2


async def test_many_accounts_from_one_address_are_a_pattern(world: World) -> None:
    # All of these tests have one address: forget what the others did there.
    world.clock.advance(timedelta(hours=2))
    before = _count("many_accounts")
    for _ in range(12):
        await race(login(world, new_email(), "wrong"))
    assert _count("many_accounts") == before + 1
    query = select(AuditEntry.details).where(AuditEntry.action == "login.suspicious")
    async with AsyncSession(world.engine) as db:
        assert {"pattern": "many_accounts"} in list(await db.scalars(query))


def _count(pattern: str) -> float:
    found = REGISTRY.get_sample_value("portico_login_suspicious_total", {"pattern": pattern})
    assert found is not None
    return found


async def test_two_who_sign_in_at_once_on_a_new_account_both_get_in(world: World) -> None:
    person = await world.new_person()
    answers = await asyncio.gather(*(login(world, person.email) for _ in range(9)))
    assert {UUID(answer.user.id) for answer in answers} == {UUID(person.id)}
