"""UpdateUser: names, suspensions and parts on the platform; an administrator always stays."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.users.v1 import user_service_pb2 as pb

from tests.core.conftest import Audited, Refused
from tests.core.users.conftest import appoint, get_user, unknown_id
from tests.core.world import Person, World, refusal

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
FAILED = grpc.StatusCode.FAILED_PRECONDITION


def update(
    world: World, administrator: Person, user_id: str, **fields: Any
) -> aio.UnaryUnaryCall[pb.UpdateUserRequest, pb.UpdateUserResponse]:
    request = pb.UpdateUserRequest(user_id=user_id, **fields)
    return world.users.UpdateUser(request, metadata=administrator.metadata)


async def test_given_fields_change_and_the_others_stay(
    world: World, administrator: Person, owner: Person, audited: Audited
) -> None:
    user = (await update(world, administrator, owner.id, display_name="Grace")).user
    assert (user.display_name, user.status, user.role) == ("Grace", "active", "user")
    assert (await get_user(world, administrator, owner.id)).user == user
    assert (await audited(owner.id))[-1] == "user.updated"


async def test_who_is_suspended_is_out_at_once(
    world: World, administrator: Person, owner: Person, refused: Refused
) -> None:
    assert (await update(world, administrator, owner.id, status="suspended")).user.status
    attempt = world.users.GetMe(pb.GetMeRequest(), metadata=owner.metadata)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")
    refresh = auth.RefreshTokenRequest(refresh_token=owner.refresh_token)
    await refused(world.auth.RefreshToken(refresh), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def test_who_is_active_again_signs_in_anew(
    world: World, administrator: Person, owner: Person, refused: Refused
) -> None:
    await update(world, administrator, owner.id, status="suspended")
    await update(world, administrator, owner.id, status="active")
    attempt = world.users.GetMe(pb.GetMeRequest(), metadata=owner.metadata)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")
    assert (await world.sign_in(owner.email)).id == owner.id


async def test_an_appointed_administrator_may_act_at_once(
    world: World, administrator: Person, owner: Person
) -> None:
    await update(world, administrator, owner.id, role="administrator")
    assert (await get_user(world, owner, administrator.id)).user.role == "administrator"


@pytest.mark.parametrize("change", [{"role": "user"}, {"status": "suspended"}])
async def test_the_last_administrator_stays_one(
    world: World, administrator: Person, owner: Person, change: dict[str, str], refused: Refused
) -> None:
    await update(world, administrator, owner.id, role="administrator")
    await update(world, administrator, owner.id, status="suspended")
    attempt = update(world, administrator, administrator.id, **change)
    await refused(attempt, FAILED, "LAST_ADMINISTRATOR")
    assert (await get_user(world, administrator, administrator.id)).user.role == "administrator"


async def test_an_administrator_beside_others_may_step_down(
    world: World, administrator: Person, owner: Person
) -> None:
    await appoint(world, owner)
    assert (await update(world, administrator, administrator.id, role="user")).user.role == "user"


async def test_two_who_take_the_part_from_each_other_at_once_leave_one(
    world: World, administrator: Person, owner: Person
) -> None:
    await appoint(world, owner)
    attempts = (
        update(world, administrator, owner.id, role="user"),
        update(world, owner, administrator.id, role="user"),
    )
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    failures = [answer for answer in answers if isinstance(answer, aio.AioRpcError)]
    assert len(failures) == 1
    # The second one either comes too late to be an administrator, or would be the last.
    assert refusal(failures[0]).reason in ("LAST_ADMINISTRATOR", "PERMISSION_DENIED")


async def test_who_has_not_seen_the_last_change_is_refused(
    world: World, administrator: Person, owner: Person, refused: Refused
) -> None:
    request = pb.UpdateUserRequest(user_id=owner.id, display_name="Grace")
    metadata = (*administrator.metadata, ("if-match", '"0"'))
    attempt = world.users.UpdateUser(request, metadata=metadata)
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")


async def test_an_unknown_account_does_not_exist(
    world: World, administrator: Person, refused: Refused
) -> None:
    attempt = update(world, administrator, unknown_id(), display_name="Grace")
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND")


@pytest.mark.parametrize(
    ("field", "value"),
    [("display_name", ""), ("status", "deleted"), ("role", "king"), ("role", "")],
)
async def test_what_breaks_a_rule_is_named(
    world: World, administrator: Person, owner: Person, field: str, value: str, refused: Refused
) -> None:
    attempt = update(world, administrator, owner.id, **{field: value})
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == (field,)


async def test_a_change_that_changes_nothing_leaves_no_trace(
    world: World, administrator: Person, owner: Person, audited: Audited
) -> None:
    before = (await get_user(world, administrator, owner.id)).user
    entries = await audited(owner.id)
    same = {"display_name": before.display_name, "status": "active", "role": "user"}
    for fields in ({}, same):
        assert (await update(world, administrator, owner.id, **fields)).user == before
    assert await audited(owner.id) == entries
