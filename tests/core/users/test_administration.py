"""What only administrators may call."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from portico.users.v1 import user_service_pb2 as pb
from sqlalchemy import text

from tests.core.conftest import Refused
from tests.core.world import Person, World, new_email

DENIED = grpc.StatusCode.PERMISSION_DENIED
METHODS = ["ListUsers", "CreateUser", "GetUser", "UpdateUser", "DeleteUser"]


def attempt(world: World, method: str, target: Person, caller: Person) -> Any:
    requests = {
        "ListUsers": pb.ListUsersRequest(),
        "CreateUser": pb.CreateUserRequest(email=new_email(), display_name="Grace"),
        "GetUser": pb.GetUserRequest(user_id=target.id),
        "UpdateUser": pb.UpdateUserRequest(user_id=target.id, display_name="Grace"),
        "DeleteUser": pb.DeleteUserRequest(user_id=target.id),
    }
    return getattr(world.users, method)(requests[method], metadata=caller.metadata)


@pytest.mark.parametrize("method", METHODS)
async def test_whoever_is_no_administrator_is_refused(
    world: World, owner: Person, stranger: Person, method: str, refused: Refused
) -> None:
    found = await refused(attempt(world, method, owner, stranger), DENIED, "PERMISSION_DENIED")
    assert found.metadata["permission"] in ("users:read", "users:write")
    await refused(attempt(world, method, owner, owner), DENIED, "PERMISSION_DENIED")


@pytest.mark.parametrize("method", METHODS)
async def test_who_is_an_administrator_no_more_is_refused_at_once(
    world: World, administrator: Person, stranger: Person, method: str, refused: Refused
) -> None:
    assert await attempt(world, "GetUser", stranger, administrator)
    async with world.engine.begin() as connection:
        statement = text("update users set role = 'user' where id = :id")
        await connection.execute(statement, {"id": administrator.id})
    await refused(attempt(world, method, stranger, administrator), DENIED, "PERMISSION_DENIED")
