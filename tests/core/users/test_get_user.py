"""GetUser: an account, for administrators."""

from __future__ import annotations

import grpc
from portico.users.v1 import user_service_pb2 as pb

from tests.core.conftest import Refused
from tests.core.users.conftest import get_user, unknown_id
from tests.core.world import Person, World


async def test_an_administrator_sees_any_account(
    world: World, administrator: Person, owner: Person
) -> None:
    me = await world.users.GetMe(pb.GetMeRequest(), metadata=owner.metadata)
    assert (await get_user(world, administrator, owner.id)).user == me.user


async def test_the_etag_is_the_one_that_the_person_sees(
    world: World, administrator: Person, owner: Person
) -> None:
    me = world.users.GetMe(pb.GetMeRequest(), metadata=owner.metadata)
    theirs = world.users.GetUser(
        pb.GetUserRequest(user_id=owner.id), metadata=administrator.metadata
    )
    tags = [dict(await call.initial_metadata())["etag"] for call in (me, theirs)]
    assert tags[0] == tags[1]


async def test_an_unknown_account_does_not_exist(
    world: World, administrator: Person, refused: Refused
) -> None:
    attempt = world.users.GetUser(
        pb.GetUserRequest(user_id=unknown_id()), metadata=administrator.metadata
    )
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND")


async def test_what_is_no_id_is_refused(
    world: World, administrator: Person, refused: Refused
) -> None:
    attempt = world.users.GetUser(pb.GetUserRequest(user_id="me"), metadata=administrator.metadata)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("user_id",)
