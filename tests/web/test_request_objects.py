"""Providers fetch authorization requests from us, as they were given the address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import jwt
import pytest

from tests.core.connections.clients import PUBLIC_URL, published_key
from tests.core.connections.front_end import FrontEnd, Somebody, new_platform_connection
from tests.core.connections.provider import CLIENT_ID, Provider, running_provider
from tests.core.users.conftest import appoint
from tests.core.world import World


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """A provider."""
    async with running_provider(person=Somebody().claims()) as provider:
        yield provider


@pytest.fixture
async def fetcher(web_socket: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """What a provider fetches with."""
    connector = aiohttp.UnixConnector(str(web_socket))
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def test_a_request_object_is_fetched_from_its_address(
    world: World, provider: Provider, fetcher: aiohttp.ClientSession
) -> None:
    administrator = await world.new_person()
    await appoint(world, administrator)
    connection_id = await new_platform_connection(
        world, administrator, provider.issuer, authorization_request="request_uri"
    )
    url = await FrontEnd(world).begin(connection_id)
    (address,) = parse_qs(urlsplit(url).query)["request_uri"]
    assert address.startswith(PUBLIC_URL)
    # No longer than providers have to take (OpenID Connect Core 1.0, section 6.2).
    assert len(address) <= 512
    answer = await fetcher.get(address)
    assert answer.status == 200
    assert answer.content_type == "application/oauth-authz-req+jwt"
    assert answer.headers["cache-control"] == "no-store"
    key = await published_key(world, connection_id)
    claims = jwt.decode(
        await answer.text(), key.key, algorithms=["RS256"], audience=provider.issuer
    )
    assert claims["client_id"] == CLIENT_ID


@pytest.mark.parametrize("name", ["A" * 43, "short", "A" * 500, "%00", "..%2f..%2fetc"])
async def test_nothing_else_is_there(name: str, fetcher: aiohttp.ClientSession) -> None:
    answer = await fetcher.get(f"{PUBLIC_URL}/sign-in/request-objects/{name}")
    assert answer.status == 404
