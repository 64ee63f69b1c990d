"""Signing in at a real, certified OpenID provider (npm oidc-provider)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from portico.connections.v1 import federated_sign_in_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users

from tests.core.conftest import Refused
from tests.core.connections.clients import create, delete, upkeep
from tests.core.connections.front_end import FrontEnd, new_platform_connection, signed_in
from tests.core.connections.provider import listening
from tests.core.world import Person, World, new_email
from tests.node import requires_node
from tests.support.openid import (
    CLIENT_ID,
    CLIENT_SECRET,
    CertifiedProvider,
    browser,
    certified_provider,
)

pytestmark = requires_node

CALLBACK = "http://127.0.0.1:8080/sign-in/callback"


@pytest.fixture(scope="module")
def logout_tokens() -> list[str]:
    """What the provider has sent to our back channel."""
    return []


@pytest.fixture(scope="module")
async def certified(
    tmp_path_factory: pytest.TempPathFactory, logout_tokens: list[str]
) -> AsyncIterator[CertifiedProvider]:
    """The provider, and the door for its logout tokens."""

    async def receive(request: web.Request) -> web.Response:
        logout_tokens.append(str((await request.post())["logout_token"]))
        return web.Response()

    folder: Path = tmp_path_factory.mktemp("openid")
    async with (
        listening(receive) as door,
        certified_provider(CALLBACK, f"{door}/logout", folder) as provider,
    ):
        yield provider


@pytest.fixture
async def connection(world: World, administrator: Person, certified: CertifiedProvider) -> str:
    """A connection of the platform with it."""
    return await new_platform_connection(
        world,
        administrator,
        certified.issuer,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
    )


@pytest.fixture
async def visitor() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser with nobody signed in."""
    async with browser() as session:
        yield session


async def test_a_person_signs_in_at_it_again_and_again(
    world: World,
    certified: CertifiedProvider,
    connection: str,
    front_end: FrontEnd,
    visitor: aiohttp.ClientSession,
) -> None:
    login = new_email().partition("@")[0]
    brought = await certified.sign_in(await front_end.begin(connection), login, visitor)
    assert brought["iss"] == certified.issuer
    first = signed_in(await front_end.complete(brought))
    me = await world.users.GetMe(users.GetMeRequest(), metadata=first.metadata)
    assert (me.user.email, me.user.display_name) == (f"{login}@example.com", "Grace Hopper")
    again = await certified.sign_in(await front_end.begin(connection), login, visitor)
    assert signed_in(await front_end.complete(again)).id == first.id


WAYS: dict[str, dict[str, str]] = {
    "by a secret": {},
    "by its key": {"client_authentication": "private_key_jwt"},
    "by a signed request": {"authorization_request": "request"},
    "with signed user info": {"userinfo_signed_response_alg": "RS256"},
    "all of it": {
        "client_authentication": "private_key_jwt",
        "authorization_request": "request",
        "userinfo_signed_response_alg": "RS256",
    },
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_registers_itself_at_it_and_people_sign_in(
    way: str,
    world: World,
    administrator: Person,
    certified: CertifiedProvider,
    front_end: FrontEnd,
    visitor: aiohttp.ClientSession,
) -> None:
    registered = await create(world, administrator, issuer=certified.issuer, **WAYS[way])
    assert registered.client_id != CLIENT_ID
    login = new_email().partition("@")[0]
    brought = await certified.sign_in(await front_end.begin(registered.id), login, visitor)
    person = signed_in(await front_end.complete(brought))
    assert person.email == f"{login}@example.com"
    await delete(world, administrator, registered.id)
    await upkeep(world)()
    async with visitor.get(
        f"{certified.issuer}/auth",
        params={"client_id": registered.client_id, "response_type": "code", "scope": "openid"},
    ) as answer:
        assert "client is invalid" in await answer.text()


async def test_signing_out_there_signs_out_here(
    world: World,
    certified: CertifiedProvider,
    connection: str,
    front_end: FrontEnd,
    visitor: aiohttp.ClientSession,
    logout_tokens: list[str],
    refused: Refused,
) -> None:
    import grpc

    login = new_email().partition("@")[0]
    brought = await certified.sign_in(await front_end.begin(connection), login, visitor)
    person = signed_in(await front_end.complete(brought))
    await certified.sign_out(visitor)
    (token,) = logout_tokens
    await front_end.sign_in.ReceiveLogoutToken(
        pb.ReceiveLogoutTokenRequest(connection_id=connection, logout_token=token)
    )
    call = world.users.GetMe(users.GetMeRequest(), metadata=person.metadata)
    await refused(call, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
