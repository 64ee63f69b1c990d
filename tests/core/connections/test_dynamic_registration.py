"""Connections whose client registers itself with the provider, and is taken back there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest
from portico.connections.v1 import connection_service_pb2 as organization_pb
from portico.connections.v1 import platform_connection_service_pb2 as pb
from portico.connections.v1.connection_service_pb2_grpc import ConnectionServiceStub
from portico.connections.v1.platform_connection_service_pb2_grpc import (
    PlatformConnectionServiceStub,
)
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.connections.models import Connection
from server.features.connections.service import MAX_CONNECTIONS
from tests.core.conftest import Refused
from tests.core.connections.clients import PUBLIC_URL, create, delete, published_key, upkeep
from tests.core.connections.front_end import FrontEnd, new_platform_connection, signed_in
from tests.core.connections.provider import Provider
from tests.core.world import Person, World

INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
TASK = "portico.connections.keep_registrations"


@pytest.fixture
def registering(provider: Provider) -> Provider:
    """A provider at which clients register themselves."""
    provider.registers = True
    return provider


async def count(world: World, model: Any) -> int:
    async with AsyncSession(world.engine) as db:
        return await db.scalar(select(func.count()).select_from(model)) or 0


async def test_oidcc_client_test_dynamic_registration(
    world: World, administrator: Person, registering: Provider, front_end: FrontEnd
) -> None:
    """With the issuer alone there is a connection, and people sign in with it."""

    def announce(document: dict[str, Any]) -> None:
        document |= {
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
        }

    registering.discovery = announce
    connection = await create(world, administrator, issuer=registering.issuer)
    ((verb, sent, token),) = registering.registrations
    assert (verb, token) == ("POST", "")
    assert sent == {
        "client_name": "Portico",
        "application_type": "web",
        "redirect_uris": [f"{PUBLIC_URL}/sign-in/callback"],
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
        "scope": "openid email profile",
        "token_endpoint_auth_method": "client_secret_basic",
        "id_token_signed_response_alg": "RS256",
        "backchannel_logout_uri": f"{PUBLIC_URL}/sign-in/backchannel-logout/{connection.id}",
        "backchannel_logout_session_required": True,
    }
    assert connection.registered
    assert connection.client_id in registering.clients
    assert (connection.has_client_secret, connection.jwks_uri) == (True, "")
    assert not connection.HasField("client_secret_expires_at")
    assert signed_in(await front_end.sign_in_at(registering, connection.id))


async def test_a_connection_of_an_organization_registers_itself_as_well(
    world: World, owner: Person, organization_id: str, registering: Provider
) -> None:
    request = organization_pb.CreateConnectionRequest(
        organization_id=organization_id,
        name="Company",
        preset="oidc",
        issuer=registering.issuer,
        initial_access_token="given out by the provider".replace(" ", "-"),
    )
    stub = ConnectionServiceStub(world.channel)
    answer = await stub.CreateConnection(request, metadata=owner.metadata)
    assert answer.connection.registered
    ((_, _, token),) = registering.registrations
    assert token == "given-out-by-the-provider"


async def test_a_client_that_registers_itself_can_sign_in_place_of_a_secret(
    world: World, administrator: Person, registering: Provider, front_end: FrontEnd
) -> None:
    def announce(document: dict[str, Any]) -> None:
        document["token_endpoint_auth_methods_supported"] = ["private_key_jwt", "tls_client_auth"]

    registering.discovery = announce
    connection = await create(world, administrator, issuer=registering.issuer)
    assert connection.client_authentication == "private_key_jwt"
    assert not connection.has_client_secret
    ((_, sent, _),) = registering.registrations
    assert sent["token_endpoint_auth_signing_alg"] == "RS256"
    (key,) = sent["jwks"]["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "use"}
    assert (await published_key(world, connection.id)).key_id == key["kid"]
    assert signed_in(await front_end.sign_in_at(registering, connection.id))


async def test_each_connection_has_a_key_of_its_own(
    world: World, administrator: Person, provider: Provider
) -> None:
    """Nobody shows who they are with the key of a client that is somebody else's."""
    kids = set()
    for _ in range(2):
        connection_id = await new_platform_connection(
            world,
            administrator,
            provider.issuer,
            client_secret="",
            client_authentication="private_key_jwt",
        )
        kids.add((await published_key(world, connection_id)).key_id)
    assert len(kids) == 2


async def test_a_deleted_connection_is_taken_back_at_the_provider(
    world: World, administrator: Person, registering: Provider
) -> None:
    connection = await create(world, administrator, issuer=registering.issuer)
    before = len(world.notifier.tasks)
    await delete(world, administrator, connection.id)
    # Not within the call: the provider may be slow.
    assert registering.ended == []
    assert TASK in world.notifier.tasks[before:]
    await asyncio.gather(*(upkeep(world)() for _ in range(3)))
    assert registering.ended == [connection.client_id]
    await upkeep(world)()
    assert registering.ended == [connection.client_id]


async def test_a_provider_that_is_away_is_asked_again_later(
    world: World, administrator: Person, registering: Provider
) -> None:
    connection = await create(world, administrator, issuer=registering.issuer)
    await delete(world, administrator, connection.id)
    registering.registration_status = 503
    await upkeep(world)()
    await upkeep(world)()
    assert len(registering.registrations) == 2
    registering.registration_status = 0
    with world.clock.later(timedelta(minutes=2)):
        await upkeep(world)()
    assert registering.ended == [connection.client_id]


async def test_what_is_registered_for_a_connection_that_does_not_come_about_is_taken_back(
    world: World, administrator: Person, registering: Provider, refused: Refused
) -> None:
    """As after a crash: the transaction that makes the connection is not committed."""
    for _ in range(MAX_CONNECTIONS):
        await new_platform_connection(world, administrator, registering.issuer)
    call = create(world, administrator, issuer=registering.issuer)
    await refused(call, grpc.StatusCode.FAILED_PRECONDITION, "CONNECTION_LIMIT_REACHED")
    (client_id,) = registering.clients
    await upkeep(world)()
    assert registering.ended == []  # the call might still run
    with world.clock.later(timedelta(minutes=11)):
        await upkeep(world)()
    assert registering.ended == [client_id]


def _without_secret(client: dict[str, Any]) -> None:
    del client["client_secret"]


def _other_redirect(client: dict[str, Any]) -> None:
    client["redirect_uris"] = ["https://other.example"]


def _redirect_of_another_type(client: dict[str, Any]) -> None:
    client["redirect_uris"] = 7


def _other_authentication(client: dict[str, Any]) -> None:
    client["token_endpoint_auth_method"] = "none"


def _id_with_nothing(client: dict[str, Any]) -> None:
    client["client_id"] = "a\0b"


def _long_id(client: dict[str, Any]) -> None:
    client["client_id"] = "x" * 301


def _endless(client: dict[str, Any]) -> None:
    client["client_secret_expires_at"] = 10**30


def _secret_of_another_type(client: dict[str, Any]) -> None:
    client["client_secret"] = {"a": 1}


STRANGE = [
    _without_secret,
    _other_redirect,
    _redirect_of_another_type,
    _other_authentication,
    _id_with_nothing,
    _long_id,
    _endless,
    _secret_of_another_type,
]


@pytest.mark.parametrize("alter", STRANGE)
async def test_a_strange_registration_is_refused(
    alter: Callable[[dict[str, Any]], None],
    world: World,
    administrator: Person,
    registering: Provider,
    refused: Refused,
) -> None:
    registering.registration = alter
    rows = await count(world, Connection)
    refusal = await refused(create(world, administrator, issuer=registering.issuer), *INVALID)
    assert refusal.reasons == ("REGISTRATION_FAILED",)
    assert await count(world, Connection) == rows


async def test_a_provider_that_wants_a_token_first_is_named_in_the_refusal(
    world: World, administrator: Person, registering: Provider, refused: Refused
) -> None:
    registering.registration_status = 401
    refusal = await refused(create(world, administrator, issuer=registering.issuer), *INVALID)
    assert refusal.fields == ("client_id",)


async def test_a_provider_that_registers_nobody_needs_a_client_id(
    world: World, administrator: Person, provider: Provider, refused: Refused
) -> None:
    refusal = await refused(create(world, administrator, issuer=provider.issuer), *INVALID)
    assert (refusal.fields, refusal.reasons) == (("client_id",), ("REQUIRED",))


async def test_a_registration_endpoint_within_our_network_is_not_asked(
    world: World, administrator: Person, registering: Provider, refused: Refused
) -> None:
    def inside(document: dict[str, Any]) -> None:
        document["registration_endpoint"] = "http://169.254.169.254/register"

    registering.discovery = inside
    refusal = await refused(create(world, administrator, issuer=registering.issuer), *INVALID)
    assert refusal.reasons == ("REGISTRATION_FAILED",)


async def test_what_is_registered_is_not_changed_here_alone(
    world: World, administrator: Person, registering: Provider, refused: Refused
) -> None:
    connection = await create(world, administrator, issuer=registering.issuer)
    stub = PlatformConnectionServiceStub(world.channel)
    changes: list[dict[str, Any]] = [
        {"client_id": "other"},
        {"client_secret": "other"},
        {"client_authentication": "none"},
        {"authorization_request": "request"},
    ]
    for change in changes:
        request = pb.UpdatePlatformConnectionRequest(connection_id=connection.id, **change)
        call = stub.UpdatePlatformConnection(request, metadata=administrator.metadata)
        refusal = await refused(call, *INVALID)
        assert refusal.reasons == ("REGISTERED",)
    request = pb.UpdatePlatformConnectionRequest(connection_id=connection.id, name="Other")
    assert await stub.UpdatePlatformConnection(request, metadata=administrator.metadata)


def _expires(seconds: int) -> Callable[[dict[str, Any]], None]:
    def alter(client: dict[str, Any]) -> None:
        client["client_secret_expires_at"] = int(time.time()) + seconds

    return alter


DAY = 86_400


async def test_a_secret_is_renewed_before_it_expires(
    world: World, administrator: Person, registering: Provider, front_end: FrontEnd
) -> None:
    registering.registration = _expires(30 * DAY)
    connection = await create(world, administrator, issuer=registering.issuer)
    assert connection.HasField("client_secret_expires_at")
    await upkeep(world)()
    assert len(registering.registrations) == 1
    registering.registration = _expires(60 * DAY)
    with world.clock.later(timedelta(days=24)):
        await asyncio.gather(*(upkeep(world)() for _ in range(3)))
    verbs = [verb for verb, _, _ in registering.registrations]
    assert verbs == ["POST", "PUT"]
    assert registering.registrations[-1][1]["client_id"] == connection.client_id
    # The secret of before is of no use any more.
    assert signed_in(await front_end.sign_in_at(registering, connection.id))


async def test_without_another_secret_we_register_once_more(
    world: World, administrator: Person, registering: Provider, front_end: FrontEnd
) -> None:
    registering.registration = _expires(30 * DAY)
    connection = await create(world, administrator, issuer=registering.issuer)
    with world.clock.later(timedelta(days=24)):
        await upkeep(world)()
    verbs = [verb for verb, _, _ in registering.registrations]
    assert verbs == ["POST", "PUT", "POST"]
    assert signed_in(await front_end.sign_in_at(registering, connection.id))
    # Sign-ins that had begun could end; then the former client goes.
    with world.clock.later(timedelta(days=24, minutes=20)):
        await upkeep(world)()
    assert registering.ended == [connection.client_id]


async def test_owners_hear_of_a_secret_that_cannot_be_renewed(
    world: World, owner: Person, organization_id: str, registering: Provider
) -> None:
    registering.registration = _expires(30 * DAY)
    request = organization_pb.CreateConnectionRequest(
        organization_id=organization_id, name="Company", preset="oidc", issuer=registering.issuer
    )
    stub = ConnectionServiceStub(world.channel)
    await stub.CreateConnection(request, metadata=owner.metadata)
    registering.registration_status = 401
    with world.clock.later(timedelta(days=24)):
        await upkeep(world)()
        await upkeep(world)()
    (mail,) = await world.mails(owner.email, "registration_expires")
    assert mail["connection_name"] == "Company"
