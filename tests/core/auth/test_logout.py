"""Logout: the session of the call ends at once."""

from __future__ import annotations

import grpc
from portico.auth.v1 import auth_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users

from tests.core.auth.conftest import claims
from tests.core.conftest import Audited, Refused
from tests.core.world import Person, World

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


async def test_after_logout_the_access_token_opens_nothing(
    world: World, owner: Person, refused: Refused, audited: Audited
) -> None:
    await world.auth.Logout(pb.LogoutRequest(), metadata=owner.metadata)
    attempt = world.users.GetMe(users.GetMeRequest(), metadata=owner.metadata)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")
    session_id = str(claims(owner.access_token)["sid"])
    assert await audited(session_id) == ["login.succeeded", "session.ended"]


async def test_the_persons_other_sessions_go_on(world: World, owner: Person) -> None:
    other = await world.sign_in(owner.email)
    await world.auth.Logout(pb.LogoutRequest(), metadata=owner.metadata)
    answer = await world.users.GetMe(users.GetMeRequest(), metadata=other.metadata)
    assert answer.user.id == owner.id


async def test_nobody_signs_out_twice(world: World, owner: Person, refused: Refused) -> None:
    await world.auth.Logout(pb.LogoutRequest(), metadata=owner.metadata)
    again = world.auth.Logout(pb.LogoutRequest(), metadata=owner.metadata)
    await refused(again, UNAUTHENTICATED, "UNAUTHENTICATED")
