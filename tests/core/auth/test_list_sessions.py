"""ListSessions: where the caller is signed in."""

from __future__ import annotations

from datetime import timedelta

import grpc
from portico.auth.v1 import auth_service_pb2 as pb

from portico_kit.clock import moment
from tests.core.conftest import Refused
from tests.core.world import Person, World


async def test_a_session_tells_what_it_is(world: World, owner: Person) -> None:
    answer = await world.auth.ListSessions(pb.ListSessionsRequest(), metadata=owner.metadata)
    (session,) = answer.sessions
    assert session.current
    assert "grpc" in session.user_agent
    assert session.ip_address == "127.0.0.1"
    began = moment(session.created_at)
    assert moment(session.last_used_at) == began
    assert moment(session.expires_at) == began + timedelta(days=7)
    assert (answer.has_more, answer.next_cursor) == (False, "")


async def test_sessions_come_newest_first_in_pages(world: World, owner: Person) -> None:
    people = [owner, await world.sign_in(owner.email), await world.sign_in(owner.email)]
    seen: list[bool] = []
    cursor = ""
    for _ in people:
        page = await world.auth.ListSessions(
            pb.ListSessionsRequest(limit=1, cursor=cursor), metadata=people[1].metadata
        )
        seen += [session.current for session in page.sessions]
        cursor = page.next_cursor
    assert (seen, cursor) == ([False, True, False], "")


async def test_ended_and_expired_sessions_are_not_shown(world: World, owner: Person) -> None:
    other = await world.sign_in(owner.email)
    await world.auth.Logout(pb.LogoutRequest(), metadata=other.metadata)
    with world.clock.later(timedelta(days=7, minutes=1)):
        late = await world.sign_in(owner.email)
        answer = await world.auth.ListSessions(pb.ListSessionsRequest(), metadata=late.metadata)
    assert [session.current for session in answer.sessions] == [True]


async def test_nobody_sees_the_sessions_of_others(
    world: World, owner: Person, stranger: Person
) -> None:
    answer = await world.auth.ListSessions(pb.ListSessionsRequest(), metadata=stranger.metadata)
    theirs = {session.id for session in answer.sessions}
    own = await world.auth.ListSessions(pb.ListSessionsRequest(), metadata=owner.metadata)
    assert theirs.isdisjoint(session.id for session in own.sessions)


async def test_the_cursor_of_somebody_else_is_refused(
    world: World, owner: Person, stranger: Person, refused: Refused
) -> None:
    await world.sign_in(owner.email)
    page = await world.auth.ListSessions(pb.ListSessionsRequest(limit=1), metadata=owner.metadata)
    attempt = world.auth.ListSessions(
        pb.ListSessionsRequest(cursor=page.next_cursor), metadata=stranger.metadata
    )
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("cursor",)


async def test_a_page_has_at_most_100(world: World, owner: Person, refused: Refused) -> None:
    attempt = world.auth.ListSessions(pb.ListSessionsRequest(limit=101), metadata=owner.metadata)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("limit",)
