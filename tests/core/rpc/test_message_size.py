"""A message that is too large is refused in other words than a budget that is used up."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.users.v1 import user_service_pb2 as pb

from tests.core.conftest import Refused
from tests.core.world import Person, World

MIB = 1024 * 1024


async def test_a_message_of_more_than_4_mib_says_that_it_is_too_large(
    world: World, owner: Person, refused: Refused
) -> None:
    request = pb.UpdateMeRequest(bio="x" * 4 * MIB)
    attempt = world.users.UpdateMe(request, metadata=owner.metadata)
    found = await refused(attempt, grpc.StatusCode.RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE")
    assert found.retry_after is None


async def test_a_message_of_4_mib_is_looked_at(
    world: World, owner: Person, refused: Refused
) -> None:
    request = pb.UpdateMeRequest(bio="x" * (4 * MIB - 10))
    assert request.ByteSize() <= 4 * MIB
    attempt = world.users.UpdateMe(request, metadata=owner.metadata)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("bio",)


async def test_a_message_that_nothing_reads_ends_with_a_status(world: World, owner: Person) -> None:
    request = pb.UpdateMeRequest(bio="x" * 9 * MIB)
    with pytest.raises(aio.AioRpcError) as caught:
        await world.users.UpdateMe(request, metadata=owner.metadata)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(8 * MIB) in (caught.value.details() or "")


async def test_a_budget_that_is_used_up_says_when_there_is_more(
    world: World, owner: Person, refused: Refused
) -> None:
    request = auth.ForgotPasswordRequest(email=owner.email)
    for _ in range(3):
        await world.auth.ForgotPassword(request)
    attempt = world.auth.ForgotPassword(request)
    found = await refused(attempt, grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    assert found.retry_after


async def test_bytes_that_are_no_message_are_refused(
    world: World, owner: Person, refused: Refused
) -> None:
    call: Any = world.channel.unary_unary("/portico.users.v1.UserService/UpdateMe")
    attempt = call(b"\x0a\xff\xff\xff", metadata=owner.metadata)
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
