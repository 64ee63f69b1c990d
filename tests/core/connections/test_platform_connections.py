"""Administrators set up the connections of the platform, and nobody else."""

from __future__ import annotations

import asyncio
from functools import partial

import grpc
from portico.connections.v1 import connection_service_pb2 as connections
from portico.connections.v1 import platform_connection_service_pb2 as pb
from portico.connections.v1.connection_service_pb2_grpc import ConnectionServiceStub
from portico.connections.v1.platform_connection_service_pb2_grpc import (
    PlatformConnectionServiceStub,
)

from tests.core.conftest import Audited, Refused
from tests.core.connections.front_end import FrontEnd, new_platform_connection
from tests.core.connections.provider import Provider
from tests.core.world import Person, World, refusal

MISSING = (grpc.StatusCode.NOT_FOUND, "CONNECTION_NOT_FOUND")


async def test_an_administrator_makes_changes_and_deletes_one(
    world: World, administrator: Person, provider: Provider, audited: Audited
) -> None:
    connection_id = await new_platform_connection(world, administrator, provider.issuer)
    stub = PlatformConnectionServiceStub(world.channel)
    changed = await stub.UpdatePlatformConnection(
        pb.UpdatePlatformConnectionRequest(
            connection_id=connection_id, name="Other", trusted_domains=["Example.ORG", "*"]
        ),
        metadata=administrator.metadata,
    )
    assert changed.connection.name == "Other"
    assert list(changed.connection.trusted_domains) == ["example.org", "*"]
    assert changed.connection.organization_id == ""
    read = await stub.GetPlatformConnection(
        pb.GetPlatformConnectionRequest(connection_id=connection_id),
        metadata=administrator.metadata,
    )
    assert read.connection == changed.connection
    await stub.DeletePlatformConnection(
        pb.DeletePlatformConnectionRequest(connection_id=connection_id),
        metadata=administrator.metadata,
    )
    assert await audited(connection_id) == [
        "platform.connection_created",
        "platform.connection_updated",
        "platform.connection_deleted",
    ]


async def test_somebody_else_does_not(
    world: World, owner: Person, provider: Provider, refused: Refused
) -> None:
    call = new_platform_connection(world, owner, provider.issuer)
    await refused(call, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_a_connection_of_the_platform_is_none_of_an_organization(
    world: World, owner: Person, organization_id: str, connection_id: str, refused: Refused
) -> None:
    stub = ConnectionServiceStub(world.channel)
    request = connections.UpdateConnectionRequest(connection_id=connection_id, enabled=False)
    await refused(stub.UpdateConnection(request, metadata=owner.metadata), *MISSING)
    test = connections.TestConnectionRequest(connection_id=connection_id)
    await refused(stub.TestConnection(test, metadata=owner.metadata), *MISSING)


async def test_an_administrator_tests_one(
    world: World,
    administrator: Person,
    provider: Provider,
    connection_id: str,
    front_end: FrontEnd,
) -> None:
    begun = await PlatformConnectionServiceStub(world.channel).TestPlatformConnection(
        pb.TestPlatformConnectionRequest(connection_id=connection_id, return_to="/admin"),
        metadata=administrator.metadata,
    )
    front_end.browser_token = begun.browser_token
    answer = await front_end.complete(provider.authorize(begun.authorization_url))
    assert (answer.purpose, answer.return_to) == ("test", "/admin")
    assert all(check.passed for check in answer.checks), answer.checks


async def test_of_thirty_at_once_the_platform_has_twenty(
    world: World, administrator: Person, provider: Provider
) -> None:
    create = partial(new_platform_connection, world, administrator, provider.issuer)
    made = await asyncio.gather(*(create() for _ in range(30)), return_exceptions=True)
    refusals = [refusal(each) for each in made if isinstance(each, grpc.aio.AioRpcError)]
    assert len(made) - len(refusals) == 20
    assert {each.reason for each in refusals} == {"CONNECTION_LIMIT_REACHED"}
