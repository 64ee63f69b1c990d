"""What a browser loads when its session ends (OpenID Connect Front-Channel Logout 1.0)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
from portico.oauth.v1 import logout_service_pb2 as pb
from portico.oauth.v1.logout_service_pb2_grpc import LogoutServiceStub

from portico_kit.oauth_metadata import openid_configuration
from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.conftest import Refused
from tests.core.oauth.conftest import claims, new_app
from tests.core.world import Person, World

FRONT = "https://app.example.com/signed-out"

Wrong = Callable[[Awaitable[Any]], Awaitable[None]]


@pytest.fixture
def wrong(refused: Refused) -> Wrong:
    """Asserts that a call is refused for the address alone."""

    async def check(call: Awaitable[Any]) -> None:
        refusal = await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
        assert refusal.fields == ("frontchannel_logout_uri",)

    return check


async def loaded(world: World, person: Person) -> Sequence[str]:
    """What the person's browser would load."""
    request = pb.GetLogoutRequest(parameters=pb.LogoutParameters())
    stub = LogoutServiceStub(world.channel)
    answer = await stub.GetLogout(request, metadata=person.metadata)
    return list(answer.logout.frontchannel_logout_uris)


async def test_each_application_of_the_session_is_loaded_once_and_no_other(
    world: World, application_client: ApplicationClient, owner: Person
) -> None:
    one = await new_app(application_client, frontchannel_logout_uri=FRONT)
    two = await new_app(application_client, frontchannel_logout_uri=f"{FRONT}?two")
    await new_app(application_client, frontchannel_logout_uri=f"{FRONT}?unused")
    await (await new_app(application_client)).signed_in(owner)
    for app in (one, two, one):
        await app.signed_in(owner)
    assert sorted(await loaded(world, owner)) == [FRONT, f"{FRONT}?two"]
    assert await loaded(world, await world.sign_in(owner.email)) == []
    await application_client.delete(two.client_id)
    assert await loaded(world, owner) == [FRONT]


@pytest.mark.parametrize("uri", [FRONT, f"{FRONT}?from=portico"])
async def test_who_asks_for_it_learns_which_session_of_whom(
    world: World, application_client: ApplicationClient, owner: Person, uri: str
) -> None:
    app = await new_app(
        application_client,
        frontchannel_logout_uri=uri,
        frontchannel_logout_session_required=True,
    )
    issued = await app.signed_in(owner)
    [address] = await loaded(world, owner)
    assert address.startswith(uri)
    given = parse_qs(urlsplit(address).query)
    assert given["iss"] == [ISSUER]
    assert given["sid"] == [claims(issued.id_token)["sid"]]


async def test_without_openid_there_is_no_session_to_end(
    world: World, application_client: ApplicationClient, owner: Person
) -> None:
    app = await new_app(application_client, frontchannel_logout_uri=FRONT)
    await app.signed_in(owner, scope="projects:read")
    assert await loaded(world, owner) == []


@pytest.mark.parametrize(
    "uri",
    [
        "https://elsewhere.example.com/signed-out",
        "https://app.example.com:8443/signed-out",
        "https://app.example.com@evil.example/",
        "http://app.example.com/signed-out",
        "https://app.example.com/signed-out#part",
        "https://app.example.com/; script-src *",
        "javascript:alert(1)",
        "/signed-out",
    ],
)
async def test_a_frame_is_of_the_origin_of_a_redirect_uri(
    application_client: ApplicationClient, wrong: Wrong, uri: str
) -> None:
    call = application_client.create(frontchannel_logout_uri=uri)
    await wrong(call)


async def test_a_frame_goes_with_its_redirect_uri(
    application_client: ApplicationClient, wrong: Wrong
) -> None:
    app = await new_app(application_client, frontchannel_logout_uri=FRONT)
    call = application_client.update(app.client_id, redirect_uris=["https://b.example.com/back"])
    await wrong(call)
    changed = await application_client.update(app.client_id, frontchannel_logout_uri="")
    assert changed.frontchannel_logout_uri == ""


def test_the_server_says_that_it_loads_them() -> None:
    document = openid_configuration(ISSUER)
    assert document["frontchannel_logout_supported"] is True
    assert document["frontchannel_logout_session_supported"] is True
