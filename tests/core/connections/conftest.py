"""What the tests of sign-in with others share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from portico.connections.v1 import platform_connection_service_pb2 as platform
from portico.connections.v1.platform_connection_service_pb2_grpc import (
    PlatformConnectionServiceStub,
)

from tests.core.connections.front_end import FrontEnd, Somebody, new_platform_connection
from tests.core.connections.provider import GitHub, Provider, listening, running_provider
from tests.core.users.conftest import appoint
from tests.core.world import Person, World


@pytest.fixture(scope="session")
async def to_appoint(world: World) -> Person:
    """Who is an administrator in the tests of this folder."""
    return await world.new_person()


@pytest.fixture
async def administrator(world: World, to_appoint: Person) -> Person:
    """An administrator of the platform; other tests take that from everybody who is one."""
    await appoint(world, to_appoint)
    return to_appoint


@pytest.fixture
async def somebody_else() -> Somebody:
    """Who signs in at the provider."""
    return Somebody()


@pytest.fixture
async def provider(somebody_else: Somebody) -> AsyncIterator[Provider]:
    """A provider that behaves, until a test changes it."""
    async with running_provider(person=somebody_else.claims()) as provider:
        yield provider


@pytest.fixture
async def connection_id(world: World, administrator: Person, provider: Provider) -> str:
    """A connection of the platform with the provider."""
    return await new_platform_connection(world, administrator, provider.issuer)


@pytest.fixture
def front_end(world: World) -> FrontEnd:
    """A browser."""
    return FrontEnd(world)


@pytest.fixture
async def github() -> AsyncIterator[GitHub]:
    """GitHub, as it speaks."""
    server = GitHub()
    async with listening(server.answer) as base:
        server.base = base
        yield server


@pytest.fixture(autouse=True)
async def clean_platform(world: World, administrator: Person) -> AsyncIterator[None]:
    """Takes the connections of the platform away again: there can be 20."""
    yield
    stub = PlatformConnectionServiceStub(world.channel)
    request = platform.ListPlatformConnectionsRequest()
    found = await stub.ListPlatformConnections(request, metadata=administrator.metadata)
    for connection in found.connections:
        await stub.DeletePlatformConnection(
            platform.DeletePlatformConnectionRequest(connection_id=connection.id),
            metadata=administrator.metadata,
        )
