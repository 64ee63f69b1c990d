"""Logout: whoever holds a token of a session can end it, also one that opens nothing any more."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import new_id
from portico_kit.jwt import TokenIssuer
from portico_kit.tokens import new_token
from server.features.auth.authenticator import USER
from server.features.auth.models import RefreshToken
from server.features.auth.signing_keys import SigningKeys
from tests.core.auth.conftest import claims
from tests.core.conftest import Audited, Refused
from tests.core.world import INTERNAL_TOKEN, Person, World, bearer, refusal

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DAY = timedelta(days=1)


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


def session_of(person: Person) -> UUID:
    return UUID(str(claims(person.access_token)["sid"]))


async def over(world: World, person: Person, refused: Refused) -> None:
    """Neither token of somebody's session opens anything any more."""
    reading = world.users.GetMe(users.GetMeRequest(), metadata=person.metadata)
    await refused(reading, UNAUTHENTICATED, "UNAUTHENTICATED")
    request = pb.RefreshTokenRequest(refresh_token=person.refresh_token)
    await refused(world.auth.RefreshToken(request), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


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


@pytest.mark.parametrize("scopes", [{"organization:read"}, set()], ids=["one", "none"])
async def test_an_access_token_that_is_narrowed_ends_no_session(
    scopes: set[str], world: World, owner: Person, refused: Refused
) -> None:
    """It passes on some of what the session may do; whoever was given it does not hold that."""
    signing_keys = SigningKeys(world.engine, world.secrets, world.clock)
    await signing_keys.load()
    narrowed = TokenIssuer(signing_keys, "portico", world.clock).issue(
        kind=USER,
        subject=UUID(owner.id),
        session_id=session_of(owner),
        organization_id=None,
        tier="free",
        scopes=frozenset(scopes),
    )
    for later in (timedelta(), timedelta(hours=1)):
        with world.clock.later(later):
            attempt = world.auth.Logout(pb.LogoutRequest(), metadata=bearer(narrowed))
            found = await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
            assert found.metadata == {"needed": "user"}
    await world.users.GetMe(users.GetMeRequest(), metadata=owner.metadata)
    # The refresh token says whose session it is, whatever is in the header beside it.
    await world.auth.Logout(with_token(owner), metadata=bearer(narrowed))
    await over(world, owner, refused)


async def set_status(world: World, person: Person, status: str) -> None:
    """Suspends or reinstates somebody, and ends nothing: an operator, in the database."""
    async with world.engine.begin() as connection:
        statement = text("update users set status = :status where id = :id")
        await connection.execute(statement, {"id": person.id, "status": status})


@pytest.mark.parametrize("by_refresh_token", [True, False])
async def test_what_somebody_who_is_suspended_signs_out_of_does_not_come_back(
    by_refresh_token: bool, world: World, owner: Person, refused: Refused, audited: Audited
) -> None:
    await set_status(world, owner, "suspended")
    if by_refresh_token:
        await world.auth.Logout(with_token(owner))
    else:
        await world.auth.Logout(pb.LogoutRequest(), metadata=owner.metadata)
    assert await audited(str(session_of(owner))) == ["login.succeeded", "session.ended"]
    await set_status(world, owner, "active")
    await over(world, owner, refused)


FORMER = {
    "never used": {"expires_at": DAY},
    "used up": {"expires_at": DAY, "used_at": -DAY},
    "in the chain": {"expires_at": DAY, "used_at": -DAY, "chain_number": 0},
    "expired": {"expires_at": -DAY},
}


@pytest.mark.parametrize("state", FORMER.values(), ids=FORMER)
async def test_a_refresh_token_of_before_0_2_signs_out(
    state: dict[str, Any], world: World, owner: Person, refused: Refused
) -> None:
    token, now = new_token(), world.clock()
    fields = {
        name: now + value if isinstance(value, timedelta) else value
        for name, value in state.items()
    }
    async with AsyncSession(world.engine) as db:
        token_hash = world.secrets.mac("refresh-token", token)
        session_id = session_of(owner)
        row = RefreshToken(
            id=new_id(), session_id=session_id, token_hash=token_hash, created_at=now, **fields
        )
        db.add(row)
        await db.commit()
    for _ in range(2):
        await world.auth.Logout(pb.LogoutRequest(refresh_token=token))
    await over(world, owner, refused)


async def test_a_refresh_that_races_a_sign_out_leaves_nothing_that_goes_on(
    world: World, owner: Person, refused: Refused
) -> None:
    """Whichever of them comes first: what the refresh gave is over, and nobody is suspected."""
    request = pb.RefreshTokenRequest(refresh_token=owner.refresh_token)
    calls = [world.auth.RefreshToken(request) for _ in range(8)]
    answers = await asyncio.gather(
        *calls[:4], world.auth.Logout(with_token(owner)), *calls[4:], return_exceptions=True
    )
    for answer in answers:
        if isinstance(answer, pb.RefreshTokenResponse):
            again = pb.RefreshTokenRequest(refresh_token=answer.refresh_token)
            attempt = world.auth.RefreshToken(again)
            await refused(attempt, UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
        elif isinstance(answer, aio.AioRpcError):
            assert refusal(answer).reason == "REFRESH_TOKEN_INVALID"
    await over(world, owner, refused)
    assert await world.mails(owner.email, "refresh_token_reused") == []
