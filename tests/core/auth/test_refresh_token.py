"""RefreshToken: each is good until its successor was used; then somebody else has it, too."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as pb
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import update

from server.features.auth.models import Session
from tests.core.auth.conftest import claims
from tests.core.conftest import Audited, Refused
from tests.core.world import Person, World, bearer, refusal

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def refresh(
    world: World, token: str
) -> aio.UnaryUnaryCall[pb.RefreshTokenRequest, pb.RefreshTokenResponse]:
    return world.auth.RefreshToken(pb.RefreshTokenRequest(refresh_token=token))


def get_me(
    world: World, access_token: str
) -> aio.UnaryUnaryCall[users.GetMeRequest, users.GetMeResponse]:
    return world.users.GetMe(users.GetMeRequest(), metadata=bearer(access_token))


async def test_a_refresh_token_gives_a_new_pair_for_the_same_session(
    world: World, owner: Person
) -> None:
    answer = await refresh(world, owner.refresh_token)
    assert (answer.token_type, answer.expires_in) == ("Bearer", 900)
    assert answer.refresh_token != owner.refresh_token
    assert claims(answer.access_token)["sid"] == claims(owner.access_token)["sid"]
    assert (await get_me(world, answer.access_token)).user.id == owner.id
    assert (await refresh(world, answer.refresh_token)).access_token


LATER = {
    "at once": timedelta(),
    "after a minute": timedelta(minutes=1),
    "after an hour": timedelta(hours=1),
    "after six days": timedelta(days=6),
}


@pytest.mark.parametrize("wait", LATER.values(), ids=LATER)
async def test_a_client_whose_answer_was_lost_gets_the_same_one_again(
    wait: timedelta, world: World, owner: Person
) -> None:
    lost = await refresh(world, owner.refresh_token)
    with world.clock.later(wait):
        again = await refresh(world, owner.refresh_token)
        assert again.refresh_token == lost.refresh_token
        assert (await get_me(world, again.access_token)).user.id == owner.id
        assert (await refresh(world, again.refresh_token)).access_token


async def test_twenty_tabs_at_once_stay_on_one_chain(world: World, owner: Person) -> None:
    token = owner.refresh_token
    for _ in range(2):
        answers = await asyncio.gather(*(refresh(world, token) for _ in range(20)))
        (token,) = {answer.refresh_token for answer in answers}
    assert (await refresh(world, token)).access_token


async def test_a_token_is_good_until_its_successor_has_been_used(
    world: World, owner: Person, refused: Refused
) -> None:
    successor = await refresh(world, owner.refresh_token)
    for _ in range(3):
        assert (await refresh(world, owner.refresh_token)) != successor
    await refresh(world, successor.refresh_token)
    await refused(refresh(world, owner.refresh_token), UNAUTHENTICATED, "REFRESH_TOKEN_REUSED")


async def stolen(world: World, owner: Person) -> pb.RefreshTokenResponse:
    """The newest pair of a session whose first token somebody copied."""
    successor = await refresh(world, owner.refresh_token)
    return await refresh(world, successor.refresh_token)


async def test_a_token_that_comes_after_its_successor_ends_the_session(
    world: World, owner: Person, refused: Refused, audited: Audited
) -> None:
    newest = await stolen(world, owner)
    await refused(refresh(world, owner.refresh_token), UNAUTHENTICATED, "REFRESH_TOKEN_REUSED")
    attempt = refresh(world, newest.refresh_token)
    await refused(attempt, UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    await refused(get_me(world, newest.access_token), UNAUTHENTICATED, "UNAUTHENTICATED")
    session_id = str(claims(owner.access_token)["sid"])
    assert await audited(session_id) == ["login.succeeded", "session.refresh_token_reused"]


async def test_the_owner_is_notified_of_a_copied_token_once(
    world: World, owner: Person, refused: Refused
) -> None:
    await stolen(world, owner)
    await refused(refresh(world, owner.refresh_token), UNAUTHENTICATED, "REFRESH_TOKEN_REUSED")
    again = refresh(world, owner.refresh_token)
    await refused(again, UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    [mail] = await world.mails(owner.email, "session_ended")
    assert mail["client_address"] == "127.0.0.1"
    assert mail["ended_at"].endswith("UTC")


async def test_a_copied_token_is_found_once_by_twenty_at_once(world: World, owner: Person) -> None:
    await stolen(world, owner)
    attempts = (refresh(world, owner.refresh_token) for _ in range(20))
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    found = [refusal(each) for each in answers if isinstance(each, aio.AioRpcError)]
    assert Counter(each.reason for each in found) == {
        "REFRESH_TOKEN_REUSED": 1,
        "REFRESH_TOKEN_INVALID": 19,
    }
    assert len(await world.mails(owner.email, "session_ended")) == 1


async def test_reuse_leaves_the_persons_other_sessions_alone(
    world: World, owner: Person, refused: Refused
) -> None:
    other = await world.sign_in(owner.email)
    await stolen(world, owner)
    await refused(refresh(world, owner.refresh_token), UNAUTHENTICATED, "REFRESH_TOKEN_REUSED")
    assert (await refresh(world, other.refresh_token)).access_token


async def test_a_database_that_was_restored_signs_nobody_out(world: World, owner: Person) -> None:
    newest = await stolen(world, owner)
    await set_session(world, owner, refresh_counter=1)
    assert (await refresh(world, newest.refresh_token)).access_token


async def test_a_token_of_another_seed_is_none(
    world: World, owner: Person, refused: Refused
) -> None:
    """The secret key alone makes no token, and so does no copy of the database."""
    await set_session(world, owner, refresh_seed=bytes(16))
    attempt = refresh(world, owner.refresh_token)
    await refused(attempt, UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def set_session(world: World, person: Person, **values: object) -> None:
    """Changes the row of a session, as no call does."""
    changed = update(Session).where(Session.id == UUID(str(claims(person.access_token)["sid"])))
    async with world.engine.begin() as connection:
        await connection.execute(changed.values(**values))


async def test_a_session_that_is_not_used_for_a_week_is_over(
    world: World, owner: Person, refused: Refused
) -> None:
    with world.clock.later(timedelta(days=7, seconds=1)):
        attempt = refresh(world, owner.refresh_token)
        await refused(attempt, UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def test_a_session_is_over_after_thirty_days_however_much_it_is_used(
    world: World, owner: Person, refused: Refused
) -> None:
    token = owner.refresh_token
    for day in (6, 12, 18, 24, 29):
        with world.clock.later(timedelta(days=day)):
            token = (await refresh(world, token)).refresh_token
    with world.clock.later(timedelta(days=30, seconds=1)):
        await refused(refresh(world, token), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def test_an_ended_session_gives_no_tokens(
    world: World, owner: Person, refused: Refused
) -> None:
    await world.auth.Logout(pb.LogoutRequest(), metadata=owner.metadata)
    attempt = refresh(world, owner.refresh_token)
    await refused(attempt, UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def test_a_made_up_token_is_refused(world: World, refused: Refused) -> None:
    await refused(refresh(world, "made up"), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def test_a_missing_token_is_named(world: World, refused: Refused) -> None:
    found = await refused(refresh(world, ""), grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("refresh_token",)


async def test_an_access_token_is_no_refresh_token(
    world: World, owner: Person, refused: Refused
) -> None:
    attempt = refresh(world, owner.access_token[:200])
    await refused(attempt, UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def test_new_tokens_carry_no_organization_that_the_person_has_left(
    world: World, owner: Person, organization_id: str
) -> None:
    member = await world.new_member(organization_id, owner, "member")
    token = (await refresh(world, member.refresh_token)).refresh_token
    await world.organizations.RemoveMember(
        organizations.RemoveMemberRequest(organization_id=organization_id, user_id=member.id),
        metadata=owner.metadata,
    )
    assert "org" not in claims((await refresh(world, token)).access_token)
