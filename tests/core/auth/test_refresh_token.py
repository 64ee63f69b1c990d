"""RefreshToken: each is good once; a lost answer signs nobody out, a thief ends the session."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as pb
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.users.v1 import user_service_pb2 as users

from tests.core.auth.conftest import claims
from tests.core.conftest import Audited, Refused
from tests.core.world import Person, World, bearer

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


async def test_a_client_whose_answer_was_lost_may_ask_again(world: World, owner: Person) -> None:
    lost = await refresh(world, owner.refresh_token)
    with world.clock.later(timedelta(seconds=29)):
        again = await refresh(world, owner.refresh_token)
        assert again.refresh_token != lost.refresh_token
        assert (await refresh(world, again.refresh_token)).access_token


async def test_two_tabs_at_once_both_stay_signed_in(world: World, owner: Person) -> None:
    answers = await asyncio.gather(*(refresh(world, owner.refresh_token) for _ in range(5)))
    assert len({answer.refresh_token for answer in answers}) == 5
    successors = await asyncio.gather(*(refresh(world, a.refresh_token) for a in answers))
    assert all(successor.access_token for successor in successors)


async def test_a_token_that_comes_back_later_ends_the_session(
    world: World, owner: Person, refused: Refused, audited: Audited
) -> None:
    successor = await refresh(world, owner.refresh_token)
    with world.clock.later(timedelta(seconds=31)):
        stolen = refresh(world, owner.refresh_token)
        await refused(stolen, UNAUTHENTICATED, "REFRESH_TOKEN_REUSED")
        attempt = refresh(world, successor.refresh_token)
        await refused(attempt, UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
        await refused(get_me(world, successor.access_token), UNAUTHENTICATED, "UNAUTHENTICATED")
    session_id = str(claims(owner.access_token)["sid"])
    assert await audited(session_id) == ["login.succeeded", "session.refresh_token_reused"]


async def test_reuse_leaves_the_persons_other_sessions_alone(
    world: World, owner: Person, refused: Refused
) -> None:
    other = await world.sign_in(owner.email)
    await refresh(world, owner.refresh_token)
    with world.clock.later(timedelta(seconds=31)):
        attempt = refresh(world, owner.refresh_token)
        await refused(attempt, UNAUTHENTICATED, "REFRESH_TOKEN_REUSED")
        assert (await refresh(world, other.refresh_token)).access_token


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
