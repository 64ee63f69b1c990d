"""Providers send logout tokens as forms, from no browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import grpc
import pytest
from grpc import aio
from portico.users.v1 import user_service_pb2 as users

from tests.core.connections.front_end import (
    FrontEnd,
    Somebody,
    new_platform_connection,
    signed_in,
)
from tests.core.connections.provider import Provider, running_provider
from tests.core.users.conftest import appoint
from tests.core.world import World

DOOR = "http://portico.example/sign-in/backchannel-logout"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """A provider with somebody in a session of its own."""
    async with running_provider(person=Somebody().claims(sid="session-1")) as provider:
        yield provider


@pytest.fixture
async def connection_id(world: World, provider: Provider) -> str:
    """A connection of the platform with it."""
    administrator = await world.new_person()
    await appoint(world, administrator)
    return await new_platform_connection(world, administrator, provider.issuer)


@pytest.fixture
async def sender(web_socket: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """What a provider sends with."""
    connector = aiohttp.UnixConnector(str(web_socket))
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def test_a_logout_token_in_a_form_ends_the_session(
    world: World,
    provider: Provider,
    connection_id: str,
    sender: aiohttp.ClientSession,
) -> None:
    person = signed_in(await FrontEnd(world).sign_in_at(provider, connection_id))
    token = provider.logout_token(sid="session-1")
    answer = await sender.post(f"{DOOR}/{connection_id}", data={"logout_token": token})
    assert answer.status == 200, await answer.text()
    assert answer.headers["cache-control"] == "no-store"
    with pytest.raises(aio.AioRpcError) as caught:
        await world.users.GetMe(users.GetMeRequest(), metadata=person.metadata)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    again = await sender.post(f"{DOOR}/{connection_id}", data={"logout_token": token})
    assert again.status == 400
    assert await again.json() == {
        "error": "invalid_request",
        "error_description": "LOGOUT_TOKEN_INVALID",
    }


@pytest.mark.parametrize("form", [{}, {"logout_token": ""}, {"logout_token": "x" * 20_000}])
async def test_what_is_no_logout_token_is_refused(
    form: dict[str, str], sender: aiohttp.ClientSession, connection_id: str
) -> None:
    for place in (connection_id, "x", "01890a5d-ac96-774b-bcce-b302099a8057"):
        answer = await sender.post(f"{DOOR}/{place}", data=form)
        assert answer.status == 400


async def test_only_forms_are_read(sender: aiohttp.ClientSession, connection_id: str) -> None:
    answer = await sender.post(f"{DOOR}/{connection_id}", json={"logout_token": "x"})
    assert answer.status == 415
    assert (await sender.get(f"{DOOR}/{connection_id}")).status == 405
