"""Sessions of browsers: a token for the cookie, of which the database holds a keyed hash alone."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.auth.v1 import browser_session_service_pb2 as pb
from portico.auth.v1.browser_session_service_pb2_grpc import BrowserSessionServiceStub
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.auth.models import Session
from tests.core.auth.conftest import claims
from tests.core.conftest import Refused
from tests.core.world import INTERNAL_TOKEN, Person, World, bearer

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
INTERNAL = bearer(INTERNAL_TOKEN)


async def start(world: World, person: Person) -> str:
    """The browser token of a person's session."""
    request = pb.StartBrowserSessionRequest(refresh_token=person.refresh_token)
    stub = BrowserSessionServiceStub(world.channel)
    return (await stub.StartBrowserSession(request, metadata=INTERNAL)).browser_token


async def resume(world: World, browser_token: str) -> pb.ResumeBrowserSessionResponse:
    """What a browser token is good for."""
    request = pb.ResumeBrowserSessionRequest(browser_token=browser_token)
    stub = BrowserSessionServiceStub(world.channel)
    return await stub.ResumeBrowserSession(request, metadata=INTERNAL)


async def test_a_browser_token_gives_access_tokens_of_its_session(
    world: World, owner: Person
) -> None:
    answer = await resume(world, await start(world, owner))
    assert answer.session_id == claims(owner.access_token)["sid"]
    assert answer.expires_in == 900
    me = await world.users.GetMe(users.GetMeRequest(), metadata=bearer(answer.access_token))
    assert me.user.id == owner.id


async def test_another_start_replaces_the_token(
    world: World, owner: Person, refused: Refused
) -> None:
    first = await start(world, owner)
    second = await start(world, owner)
    assert (await resume(world, second)).access_token
    await refused(resume(world, first), UNAUTHENTICATED, "BROWSER_TOKEN_INVALID")


async def test_a_session_that_has_ended_is_neither_started_nor_resumed(
    world: World, owner: Person, refused: Refused
) -> None:
    token = await start(world, owner)
    await world.auth.Logout(auth.LogoutRequest(), metadata=owner.metadata)
    await refused(resume(world, token), UNAUTHENTICATED, "BROWSER_TOKEN_INVALID")
    await refused(start(world, owner), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def test_resuming_counts_as_use_and_the_absolute_end_stays(
    world: World, owner: Person, refused: Refused
) -> None:
    token = await start(world, owner)
    for day in (6, 12, 18, 24, 29):
        with world.clock.later(timedelta(days=day)):
            assert (await resume(world, token)).access_token
    with world.clock.later(timedelta(days=30, seconds=1)):
        await refused(resume(world, token), UNAUTHENTICATED, "BROWSER_TOKEN_INVALID")


@pytest.mark.parametrize("metadata", [(), bearer("made up " * 5)])
async def test_nobody_but_our_own_services_may_ask(
    world: World, owner: Person, refused: Refused, metadata: tuple[tuple[str, str], ...]
) -> None:
    stub = BrowserSessionServiceStub(world.channel)
    starting = stub.StartBrowserSession(
        pb.StartBrowserSessionRequest(refresh_token=owner.refresh_token), metadata=metadata
    )
    await refused(starting, UNAUTHENTICATED, "UNAUTHENTICATED")
    resuming = stub.ResumeBrowserSession(
        pb.ResumeBrowserSessionRequest(browser_token="x"), metadata=owner.metadata
    )
    await refused(resuming, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_copy_of_the_table_holds_no_token(world: World, owner: Person) -> None:
    token = await start(world, owner)
    query = select(Session.browser_token_hash).where(
        Session.id == str(claims(owner.access_token)["sid"])
    )
    async with AsyncSession(world.engine) as db:
        stored = await db.scalar(query)
    assert stored == world.secrets.mac("browser-token", token)
    assert token.encode() not in stored


async def test_a_caller_that_does_not_come_through_the_gateway_names_no_browser(
    world: World, owner: Person
) -> None:
    request = auth.LoginRequest(email=owner.email, password=owner.password)
    await world.auth.Login(request, metadata=(("x-edge-user-agent", "forged"),))
    answer = await world.auth.ListSessions(auth.ListSessionsRequest(), metadata=owner.metadata)
    assert "forged" not in {session.user_agent for session in answer.sessions}
