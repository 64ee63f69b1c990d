"""GetMe: the caller's own account."""

from __future__ import annotations

import asyncio

from portico.users.v1 import user_service_pb2 as pb

from tests.core.world import Person, World


async def test_a_person_sees_their_own_account(world: World, owner: Person) -> None:
    attempt = world.users.GetMe(pb.GetMeRequest(), metadata=owner.metadata)
    user = (await attempt).user
    assert (user.id, user.email, user.email_verified) == (owner.id, owner.email, True)
    assert (user.display_name, user.status, user.role) == ("Ada", "active", "user")
    assert (user.avatar_url, user.bio) == ("", "")
    assert not user.preferences.HasField("theme")
    assert user.HasField("last_login_at")
    assert "etag" in dict(await attempt.initial_metadata())


async def test_an_account_that_has_not_changed_is_not_modified(world: World, owner: Person) -> None:
    first = world.users.GetMe(pb.GetMeRequest(), metadata=owner.metadata)
    etag = dict(await first.initial_metadata())["etag"]
    metadata = (*owner.metadata, ("if-none-match", etag))
    again = world.users.GetMe(pb.GetMeRequest(), metadata=metadata)
    assert dict(await again.initial_metadata())["x-http-code"] == "304"


async def test_people_who_ask_at_once_each_get_their_own(
    world: World, owner: Person, stranger: Person
) -> None:
    people = [owner, stranger] * 5
    calls = (world.users.GetMe(pb.GetMeRequest(), metadata=p.metadata) for p in people)
    answers = await asyncio.gather(*calls)
    assert [answer.user.id for answer in answers] == [person.id for person in people]
