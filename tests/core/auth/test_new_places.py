"""A sign-in from a device or a network that is new to the account is reported to its owner."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users
from portico.users.v1.user_service_pb2_grpc import UserServiceStub
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from server.common.networks import network, subscriber
from server.features.auth.cleanup import delete_sign_in_places
from server.features.auth.mails import NEW_SIGN_IN
from server.features.auth.models import SignInPlace
from server.features.auth.places import MOST
from server.features.auth.user_agents import program
from server.features.emails.rendering import render
from tests.core.auth.conftest import claims
from tests.core.conftest import Audited, Refused
from tests.core.world import PASSWORD, Person, World, bearer

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
INVALID = grpc.StatusCode.INVALID_ARGUMENT
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


async def sign_in(world: World, email: str, device: str = "") -> pb.LoginResponse:
    request = pb.LoginRequest(email=email, password=PASSWORD, device_token=device)
    answer: pb.LoginResponse = await world.auth.Login(request)
    return answer


@pytest.fixture
async def account(world: World) -> tuple[str, str]:
    """The address of somebody who has signed in once, and the token of the device."""
    person = await world.new_person()
    async with world.engine.begin() as connection:
        statement = text("delete from sign_in_places where user_id = :id")
        await connection.execute(statement, {"id": person.id})
    return person.email, (await sign_in(world, person.email)).device_token


async def reports(world: World, email: str) -> list[dict[str, str]]:
    return await world.mails(email, "new_sign_in")


async def places(world: World, email: str) -> dict[str, int]:
    """How many devices and networks an account is known to be used from."""
    query = text(
        "select kind, count(*) from sign_in_places where user_id ="
        " (select id from users where email = :email) group by kind"
    )
    async with world.engine.connect() as connection:
        return {row[0]: row[1] for row in await connection.execute(query, {"email": email})}


async def test_the_first_sign_in_and_one_from_the_same_device_are_not_reported(
    world: World, account: tuple[str, str]
) -> None:
    email, device = account
    assert (await sign_in(world, email, device)).device_token == device
    assert await reports(world, email) == []
    assert await places(world, email) == {"device": 1, "network": 1}


async def test_a_new_device_is_reported_with_what_when_and_where(
    world: World, account: tuple[str, str], audited: Audited
) -> None:
    email, device = account
    answer = await sign_in(world, email)
    assert answer.device_token not in ("", device)
    (mail,) = await reports(world, email)
    assert mail["client_address"] in ("127.0.0.1", "::1")
    assert mail["signed_in_at"].endswith(" UTC")
    assert mail["device_name"] == "a gRPC client"
    session_id = str(claims(answer.access_token)["sid"])
    assert await audited(session_id) == ["login.succeeded", "session.unrecognized"]


async def test_of_several_at_once_with_one_new_device_one_is_reported(
    world: World, account: tuple[str, str]
) -> None:
    email, _ = account
    other = await world.new_person()
    device = (await sign_in(world, other.email)).device_token
    await asyncio.gather(*(sign_in(world, email, device) for _ in range(8)))
    assert len(await reports(world, email)) == 1
    assert await places(world, email) == {"device": 2, "network": 1}


async def test_of_two_first_sign_ins_at_once_the_second_is_reported(world: World) -> None:
    person = await world.new_person()
    async with world.engine.begin() as connection:
        statement = text("delete from sign_in_places where user_id = :id")
        await connection.execute(statement, {"id": person.id})
    await asyncio.gather(*(sign_in(world, person.email) for _ in range(2)))
    assert len(await reports(world, person.email)) == 1
    assert await places(world, person.email) == {"device": 2, "network": 1}


async def test_a_new_network_is_reported_though_the_device_is_known(
    world: World, account: tuple[str, str]
) -> None:
    email, device = account
    async with world.engine.begin() as connection:
        statement = text(
            "update sign_in_places set value_hash = 'another' where kind = 'network'"
            " and user_id = (select id from users where email = :email)"
        )
        await connection.execute(statement, {"email": email})
    await sign_in(world, email, device)
    assert len(await reports(world, email)) == 1
    await sign_in(world, email, device)
    assert len(await reports(world, email)) == 1


async def test_one_device_serves_several_accounts_and_is_new_to_each(
    world: World, account: tuple[str, str], owner: Person
) -> None:
    _, device = account
    assert (await sign_in(world, owner.email, device)).device_token == device
    assert len(await reports(world, owner.email)) == 1


async def test_a_made_up_device_gets_a_token_of_its_own(world: World, owner: Person) -> None:
    for made_up in ("x" * 64, "ü", "=" * 200, "A" * 64):
        answer = await sign_in(world, owner.email, made_up)
        assert answer.device_token != made_up
        assert len(answer.device_token) == 64


async def test_a_program_that_keeps_no_token_is_known_by_fifty_devices_at_most(
    world: World, account: tuple[str, str]
) -> None:
    email, device = account
    async with AsyncSession(world.engine) as db, db.begin():
        user_id: UUID = (
            await db.execute(text("select id from users where email = :email"), {"email": email})
        ).scalar_one()
        old = world.clock() - timedelta(days=1)
        db.add_all(
            SignInPlace(
                user_id=user_id,
                kind="device",
                value_hash=n.to_bytes(2),
                first_seen_at=old,
                last_seen_at=old,
            )
            for n in range(MOST - 1)
        )
    await sign_in(world, email)
    await sign_in(world, email)
    assert await places(world, email) == {"device": MOST, "network": 1}
    await sign_in(world, email, device)  # those that are used stay
    assert len(await reports(world, email)) == 2


async def test_the_mail_fails_no_sign_in_when_its_budget_is_used_up(
    world: World, account: tuple[str, str]
) -> None:
    email, _ = account
    for _ in range(6):
        assert (await sign_in(world, email)).access_token
    assert len(await reports(world, email)) == 3


async def test_refused_sign_ins_do_not_use_up_the_mails_about_one_that_succeeds(
    world: World, account: tuple[str, str]
) -> None:
    email, _ = account
    with world.clock.later(timedelta(0)):
        for _ in range(4):
            for _ in range(10):
                with pytest.raises(aio.AioRpcError):
                    await world.auth.Login(pb.LoginRequest(email=email, password="wrong"))
                world.clock.advance(timedelta(seconds=20))
            world.clock.advance(timedelta(minutes=15))
        assert len(await world.mails(email, "sign_in_blocked")) == 3
        await sign_in(world, email)
    assert len(await reports(world, email)) == 1


async def test_a_place_that_was_not_used_for_half_a_year_is_new(
    world: World, account: tuple[str, str]
) -> None:
    email, _ = account
    async with AsyncSession(world.engine) as db:
        late = world.clock() + timedelta(days=179)
        await delete_sign_in_places(db, late, 100_000)
        await db.commit()
        assert await places(world, email) == {"device": 1, "network": 1}
        assert await delete_sign_in_places(db, late + timedelta(days=2), 1) == 1
        assert await delete_sign_in_places(db, late + timedelta(days=2), 100_000) >= 1
        assert await delete_sign_in_places(db, late + timedelta(days=2), 100_000) == 0
        await db.rollback()


async def test_a_deleted_account_has_been_nowhere(world: World, owner: Person) -> None:
    administrator = await world.new_person()
    async with world.engine.begin() as connection:
        statement = text("update users set role = 'administrator' where id = :id")
        await connection.execute(statement, {"id": administrator.id})
    await world.users.DeleteUser(
        users.DeleteUserRequest(user_id=owner.id), metadata=administrator.metadata
    )
    async with AsyncSession(world.engine) as db:
        query = select(func.count()).where(SignInPlace.user_id == UUID(owner.id))
        assert await db.scalar(query) == 0


# What the link in the mail does.


@pytest.fixture
async def reported(world: World, account: tuple[str, str]) -> dict[str, Any]:
    """A sign-in of somebody else, of which the owner got a mail."""
    email, device = account
    mine = await sign_in(world, email, device)
    theirs = await sign_in(world, email)
    (mail,) = await reports(world, email)
    return {"email": email, "mine": mine, "theirs": theirs, "token": mail["token"]}


def report(world: World, token: str) -> aio.UnaryUnaryCall[Any, Any]:
    return world.auth.ReportSession(pb.ReportSessionRequest(token=token))


def me(world: World, answer: pb.LoginResponse) -> aio.UnaryUnaryCall[Any, Any]:
    stub = UserServiceStub(world.channel)
    return stub.GetMe(users.GetMeRequest(), metadata=bearer(answer.access_token))


async def test_a_reported_session_ends_and_no_other(
    world: World, reported: dict[str, Any], refused: Refused, audited: Audited
) -> None:
    await report(world, reported["token"])
    await refused(me(world, reported["theirs"]), UNAUTHENTICATED, "UNAUTHENTICATED")
    refresh = pb.RefreshTokenRequest(refresh_token=reported["theirs"].refresh_token)
    await refused(world.auth.RefreshToken(refresh), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    assert (await me(world, reported["mine"])).user.email == reported["email"]
    session_id = str(claims(reported["theirs"].access_token)["sid"])
    assert (await audited(session_id))[2:] == ["session.reported"]


async def test_a_second_report_changes_nothing(
    world: World, reported: dict[str, Any], audited: Audited
) -> None:
    for _ in range(3):
        await report(world, reported["token"])
    session_id = str(claims(reported["theirs"].access_token)["sid"])
    assert (await audited(session_id)).count("session.reported") == 1


async def test_the_device_of_a_reported_session_is_forgotten(
    world: World, reported: dict[str, Any]
) -> None:
    await report(world, reported["token"])
    await sign_in(world, reported["email"], reported["theirs"].device_token)
    assert len(await reports(world, reported["email"])) == 2
    await sign_in(world, reported["email"], reported["mine"].device_token)
    assert len(await reports(world, reported["email"])) == 2


@pytest.mark.parametrize("how", ["cut", "changed", "longer", "another", "junk", "unicode", "nul"])
async def test_what_is_no_token_ends_nothing(
    world: World, reported: dict[str, Any], how: str, refused: Refused
) -> None:
    token = reported["token"]
    made_up = {
        "cut": token[:-4],
        "changed": ("B" if token[0] == "A" else "A") + token[1:],
        "longer": token + "AAAA",
        "another": reported["theirs"].refresh_token,
        "junk": "x",
        "unicode": "ü" * 44,
        "nul": "\0" * 44,
    }[how]
    await refused(report(world, made_up), INVALID, "TOKEN_INVALID")
    assert (await me(world, reported["theirs"])).user.email == reported["email"]


async def test_a_session_that_is_forgotten_has_no_token(
    world: World, reported: dict[str, Any], refused: Refused
) -> None:
    session_id = str(claims(reported["theirs"].access_token)["sid"])
    async with world.engine.begin() as connection:
        await connection.execute(text("delete from sessions where id = :id"), {"id": session_id})
    await refused(report(world, reported["token"]), INVALID, "TOKEN_INVALID")


# Rules without a server.


@pytest.mark.parametrize(
    ("address", "of_provider", "of_subscriber"),
    [
        ("192.0.2.7", "192.0.0.0/16", "192.0.2.7/32"),
        ("::ffff:192.0.2.7", "192.0.0.0/16", "192.0.2.7/32"),
        ("2001:db8:1:2:3::4", "2001:db8::/32", "2001:db8:1:2::/64"),
        ("::1", "::/32", "::/64"),
        ("fe80::1%eth0", "fe80::/32", "fe80::/64"),
        ("", "unknown", "unknown"),
        ("no address", "unknown", "unknown"),
    ],
)
def test_a_network_is_a_providers(address: str, of_provider: str, of_subscriber: str) -> None:
    assert (network(address), subscriber(address)) == (of_provider, of_subscriber)


@pytest.mark.parametrize(
    ("user_agent", "shown"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) Version/17.1 Safari/604.1",
            "Safari on iOS",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/119.0.6045.123 Safari/537.36 Edg/119",
            "Edge on Windows",
        ),
        ("curl/8.5.0", "curl"),
        ("", "an unknown program"),
        ("Your account is locked, call +1 800 555 0199", "an unknown program"),
        ("https://evil.example/\r\nBcc: all@example.com", "an unknown program"),
    ],
)
def test_a_mail_says_in_our_words_what_a_client_says_of_itself(user_agent: str, shown: str) -> None:
    assert program(user_agent) == shown


def test_the_mail_leads_to_the_page_that_asks_and_says_that_the_link_stays_good() -> None:
    variables = {
        "token": "x" * 44,
        "display_name": "Ada",
        "device_name": program(FIREFOX),
        "client_address": "192.0.2.7",
        "signed_in_at": "26 November 2026, 05:00 UTC",
    }
    text_of_mail = render(NEW_SIGN_IN, variables, "https://portico.example").text
    assert f"https://portico.example/report-session?token={'x' * 44}" in text_of_mail
    assert "Firefox on Linux" in text_of_mail
    assert "works once" not in text_of_mail
