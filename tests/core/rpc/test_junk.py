"""Junk from one caller is that caller's own error: it harms no other call, with each engine."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portico.auth.v1 import auth_service_pb2
from portico.health.v1 import health_service_pb2
from portico.keys.v1 import api_key_service_pb2
from portico.organizations.v1 import organization_service_pb2
from portico.users.v1 import user_service_pb2
from portico.webhooks.v1 import webhook_service_pb2

from tests.core.conftest import Refused
from tests.core.world import Person, World
from tests.support.cells import Cells

FILES = (
    auth_service_pb2,
    health_service_pb2,
    api_key_service_pb2,
    organization_service_pb2,
    user_service_pb2,
    webhook_service_pb2,
)
METHODS = [
    f"/{service.full_name}/{method.name}"
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    # Beside this core there is no authorizer, so it rightly says that it is not ready.
    if method.name != "GetReadiness"
]
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
STANDARD = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch", REFLECTION]
CUT_SHORT = bytes.fromhex("0affffff")
JUNK = [CUT_SHORT, b"\xff" * 40, b"\x0a\x02\xff\xfe", b"\x08", bytes(range(256))]


async def send(world: World, owner: Person, method: str, message: bytes) -> grpc.StatusCode:
    """Calls a method with any bytes, and gives the status."""
    call: Any = world.channel.unary_unary(method)
    try:
        await call(message, metadata=owner.metadata, timeout=10)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def lives(world: World) -> bool:
    """Whether the core serves somebody, and says that it is healthy."""
    somebody = await world.new_person()
    health = health_pb2_grpc.HealthStub(world.channel)
    state = await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
    me = await world.users.GetMe(user_service_pb2.GetMeRequest(), metadata=somebody.metadata)
    return bool(state.status == state.SERVING and me.user.email == somebody.email)


async def test_a_malformed_message_is_refused_by_every_method_and_harms_none(
    world: World, owner: Person
) -> None:
    calls = [(method, junk) for method in (*METHODS, *STANDARD) for junk in JUNK]
    answers = await asyncio.gather(*(send(world, owner, *call) for call in calls))
    refused = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert not [call for call, code in zip(calls, answers, strict=True) if code in refused]
    assert await lives(world)


async def test_a_message_that_cannot_be_read_is_a_malformed_message(
    world: World, somebody: Person, refused: Refused
) -> None:
    cells = Cells()
    for method in METHODS:
        with cells.cell(method):
            method_call: Any = world.channel.unary_unary(method)
            call = method_call(CUT_SHORT, metadata=somebody.metadata)
            found = await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
            assert "DecodeError" not in found.message
    cells.hold()


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(method=st.sampled_from(METHODS), junk=st.binary(max_size=200))
async def test_no_bytes_end_the_core(world: World, owner: Person, method: str, junk: bytes) -> None:
    code = await send(world, owner, method, junk)
    assert code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
