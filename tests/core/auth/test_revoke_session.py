"""RevokeSession: a person ends a session of theirs, at once."""

from __future__ import annotations

from uuid import uuid4

import grpc
from portico.auth.v1 import auth_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users

from tests.core.conftest import Refused
from tests.core.world import Person, World

NOT_FOUND = grpc.StatusCode.NOT_FOUND


async def current_session(world: World, person: Person) -> str:
    answer = await world.auth.ListSessions(pb.ListSessionsRequest(), metadata=person.metadata)
    return next(session.id for session in answer.sessions if session.current)


def revoke(session_id: str) -> pb.RevokeSessionRequest:
    return pb.RevokeSessionRequest(session_id=session_id)


async def test_a_revoked_session_opens_nothing_any_more(
    world: World, owner: Person, refused: Refused
) -> None:
    lost = await world.sign_in(owner.email)
    session_id = await current_session(world, lost)
    await world.auth.RevokeSession(revoke(session_id), metadata=owner.metadata)
    attempt = world.users.GetMe(users.GetMeRequest(), metadata=lost.metadata)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    assert (await world.users.GetMe(users.GetMeRequest(), metadata=owner.metadata)).user.id


async def test_a_session_can_be_revoked_once(world: World, owner: Person, refused: Refused) -> None:
    session_id = await current_session(world, await world.sign_in(owner.email))
    await world.auth.RevokeSession(revoke(session_id), metadata=owner.metadata)
    again = world.auth.RevokeSession(revoke(session_id), metadata=owner.metadata)
    await refused(again, NOT_FOUND, "SESSION_NOT_FOUND")


async def test_the_session_of_somebody_else_does_not_exist(
    world: World, owner: Person, stranger: Person, refused: Refused
) -> None:
    theirs = revoke(await current_session(world, owner))
    attempt = world.auth.RevokeSession(theirs, metadata=stranger.metadata)
    await refused(attempt, NOT_FOUND, "SESSION_NOT_FOUND")
    assert (await world.users.GetMe(users.GetMeRequest(), metadata=owner.metadata)).user.id


async def test_an_unknown_session_does_not_exist(
    world: World, owner: Person, refused: Refused
) -> None:
    attempt = world.auth.RevokeSession(revoke(str(uuid4())), metadata=owner.metadata)
    await refused(attempt, NOT_FOUND, "SESSION_NOT_FOUND")


async def test_what_is_no_id_is_refused(world: World, owner: Person, refused: Refused) -> None:
    attempt = world.auth.RevokeSession(revoke("mine"), metadata=owner.metadata)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("session_id",)
