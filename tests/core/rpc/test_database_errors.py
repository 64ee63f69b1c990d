"""A NUL in a text, which the database cannot hold: the caller hears where it is."""

from __future__ import annotations

import grpc
from portico.users.v1 import user_service_pb2 as users

from tests.core.conftest import Refused
from tests.core.world import Person, World


async def test_the_field_with_a_nul_is_named(world: World, owner: Person, refused: Refused) -> None:
    request = users.UpdateMeRequest(display_name="Ada", bio="Counts\0.")
    call = world.users.UpdateMe(request, metadata=owner.metadata)
    refusal = await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert refusal.fields == ("bio",)


async def test_each_field_with_a_nul_is_named(
    world: World, owner: Person, refused: Refused
) -> None:
    request = users.UpdateMeRequest(avatar_url="https://example.com/\0", bio="Counts\0.")
    call = world.users.UpdateMe(request, metadata=owner.metadata)
    refusal = await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert refusal.fields == ("avatar_url", "bio")
