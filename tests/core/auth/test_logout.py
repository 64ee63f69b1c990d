"""Logout: whoever holds a token of a session can end it, also one that opens nothing any more."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from typing import Any

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import text

from tests.core.auth.conftest import claims
from tests.core.conftest import Audited, Refused
from tests.core.world import INTERNAL_TOKEN, Person, World, bearer

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


async def test_after_logout_the_access_token_opens_nothing(
    world: World, owner: Person, refused: Refused, audited: Audited
) -> None:
    await world.auth.Logout(pb.LogoutRequest(), metadata=owner.metadata)
    attempt = world.users.GetMe(users.GetMeRequest(), metadata=owner.metadata)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")
    session_id = str(claims(owner.access_token)["sid"])
    assert await audited(session_id) == ["login.succeeded", "session.ended"]


async def test_the_persons_other_sessions_go_on(world: World, owner: Person) -> None:
    other = await world.sign_in(owner.email)
    await world.auth.Logout(pb.LogoutRequest(), metadata=owner.metadata)
    answer = await world.users.GetMe(users.GetMeRequest(), metadata=other.metadata)
    assert answer.user.id == owner.id


def with_token(person: Person) -> pb.LogoutRequest:
    return pb.LogoutRequest(refresh_token=person.refresh_token)


async def test_a_refresh_token_alone_signs_out(
    world: World, owner: Person, refused: Refused
) -> None:
    await world.auth.Logout(with_token(owner))
    attempt = world.users.GetMe(users.GetMeRequest(), metadata=owner.metadata)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_refresh_token_from_before_signs_out_as_well(
    world: World, owner: Person, refused: Refused
) -> None:
    token = owner.refresh_token
    for _ in range(3):
        request = pb.RefreshTokenRequest(refresh_token=token)
        token = (await world.auth.RefreshToken(request)).refresh_token
    await world.auth.Logout(with_token(owner))
    again = world.auth.RefreshToken(pb.RefreshTokenRequest(refresh_token=token))
    await refused(again, UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def test_an_access_token_that_has_expired_signs_out(
    world: World, owner: Person, refused: Refused
) -> None:
    with world.clock.later(timedelta(hours=1)):
        await world.auth.Logout(pb.LogoutRequest(), metadata=owner.metadata)
        again = world.auth.RefreshToken(pb.RefreshTokenRequest(refresh_token=owner.refresh_token))
        await refused(again, UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def test_signing_out_twice_is_as_good_as_once(
    world: World, owner: Person, audited: Audited
) -> None:
    for _ in range(2):
        await world.auth.Logout(pb.LogoutRequest(), metadata=owner.metadata)
        await world.auth.Logout(with_token(owner))
    session_id = str(claims(owner.access_token)["sid"])
    assert await audited(session_id) == ["login.succeeded", "session.ended"]


async def test_a_session_that_is_over_is_signed_out_of_without_a_trace(
    world: World, owner: Person, audited: Audited
) -> None:
    with world.clock.later(timedelta(days=8)):
        await world.auth.Logout(with_token(owner))
    session_id = str(claims(owner.access_token)["sid"])
    assert await audited(session_id) == ["login.succeeded"]


async def test_twenty_at_once_sign_out_once(world: World, owner: Person, audited: Audited) -> None:
    await asyncio.gather(*(world.auth.Logout(with_token(owner)) for _ in range(20)))
    session_id = str(claims(owner.access_token)["sid"])
    assert await audited(session_id) == ["login.succeeded", "session.ended"]


@pytest.mark.parametrize("token", ["made up", "AQ", "é", "A" * 200])
async def test_a_made_up_refresh_token_signs_nobody_out(
    token: str, world: World, owner: Person, refused: Refused
) -> None:
    request = pb.LogoutRequest(refresh_token=token)
    # The access token beside it is not asked: what a client says is taken at its word.
    attempt = world.auth.Logout(request, metadata=owner.metadata)
    await refused(attempt, UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    await world.users.GetMe(users.GetMeRequest(), metadata=owner.metadata)


async def test_a_refresh_token_of_another_session_is_not_made_by_its_id(
    world: World, owner: Person, stranger: Person, refused: Refused
) -> None:
    """The id of a session is no secret: lists show it."""
    mine, theirs = (base64.urlsafe_b64decode(one.refresh_token + "=") for one in (stranger, owner))
    forged = base64.urlsafe_b64encode(theirs[:21] + mine[21:]).decode().rstrip("=")
    attempt = world.auth.Logout(pb.LogoutRequest(refresh_token=forged))
    await refused(attempt, UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    request = pb.RefreshTokenRequest(refresh_token=forged)
    await refused(world.auth.RefreshToken(request), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


HEADERS = {
    "none": (),
    "of another scheme": (("authorization", "Basic YTpi"),),
    "garbage": (("authorization", "Bearer garbage"),),
    "the internal secret": (("authorization", f"Bearer {INTERNAL_TOKEN}"),),
}


@pytest.mark.parametrize("metadata", HEADERS.values(), ids=HEADERS)
async def test_without_a_token_there_is_nothing_to_sign_out_of(
    metadata: Any, world: World, refused: Refused
) -> None:
    attempt = world.auth.Logout(pb.LogoutRequest(), metadata=metadata)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_token_that_was_tampered_with_signs_nobody_out(
    world: World, owner: Person, refused: Refused
) -> None:
    forged = bearer(owner.access_token[:-4] + "AAAA")
    attempt = world.auth.Logout(pb.LogoutRequest(), metadata=forged)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")
    await world.users.GetMe(users.GetMeRequest(), metadata=owner.metadata)


async def test_somebody_who_is_suspended_can_sign_out(world: World, owner: Person) -> None:
    async with world.engine.begin() as connection:
        statement = text("update users set status = 'suspended' where id = :id")
        await connection.execute(statement, {"id": owner.id})
    await world.auth.Logout(with_token(owner))
