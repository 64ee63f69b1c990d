"""What the tests of accounts share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from portico.users.v1 import user_service_pb2 as pb
from sqlalchemy import text

from tests.core.world import Person, World, new_email


@pytest.fixture
async def administrator(world: World) -> AsyncIterator[Person]:
    """The only administrator of the platform, for as long as the test runs."""
    person = await world.new_person()
    await appoint(world, person)
    yield person
    async with world.engine.begin() as connection:
        await connection.execute(text("update users set role = 'user'"))


async def appoint(world: World, person: Person) -> None:
    """Makes somebody an administrator; the first one has nobody to ask."""
    async with world.engine.begin() as connection:
        statement = text("update users set role = 'administrator' where id = :id")
        await connection.execute(statement, {"id": person.id})


async def get_user(world: World, administrator: Person, user_id: str) -> pb.GetUserResponse:
    """An account as an administrator sees it."""
    request = pb.GetUserRequest(user_id=user_id)
    return await world.users.GetUser(request, metadata=administrator.metadata)


async def new_account(
    world: World, administrator: Person, display_name: str = "Grace", role: str = ""
) -> pb.CreateUserResponse:
    """An account that an administrator creates for somebody."""
    request = pb.CreateUserRequest(email=new_email(), display_name=display_name, role=role)
    return await world.users.CreateUser(request, metadata=administrator.metadata)


def unknown_id() -> str:
    """The id of nobody."""
    return str(uuid4())
