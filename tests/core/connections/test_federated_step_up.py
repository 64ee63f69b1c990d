"""Who has neither a factor nor a password confirms with their provider that it is them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.auth.v1 import challenge_service_pb2 as challenges
from portico.connections.v1 import federated_sign_in_service_pb2 as pb

from tests.core.auth.conftest import claims
from tests.core.conftest import Audited, Refused
from tests.core.connections.front_end import (
    FrontEnd,
    Somebody,
    new_platform_connection,
    signed_in,
)
from tests.core.connections.provider import GitHub, Provider
from tests.core.factors.conftest import enroll_app
from tests.core.factors.test_step_up import INSUFFICIENT, UNAUTHENTICATED
from tests.core.world import Person, World, new_email

INVALID_RESPONSE = (UNAUTHENTICATED, "PROVIDER_RESPONSE_INVALID")
STATE_INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "FEDERATED_STATE_INVALID")
MISSING = (grpc.StatusCode.NOT_FOUND, "CONNECTION_NOT_FOUND")
LATER = timedelta(minutes=6)


@pytest.fixture
async def asks_again(world: World, provider: Provider) -> None:
    """The provider asks whoever comes, and its clock goes as ours does."""

    def say_when(found: dict[str, Any]) -> None:
        now = int(world.clock().timestamp())
        found.update(iat=now, exp=now + 300, auth_time=now)

    provider.id_token = say_when


@pytest.fixture
async def grace(
    world: World, front_end: FrontEnd, provider: Provider, connection_id: str, asks_again: None
) -> AsyncIterator[Person]:
    """Somebody who has a provider and nothing else, and has signed in six minutes ago."""
    person = signed_in(await front_end.sign_in_at(provider, connection_id))
    with world.clock.later(LATER):
        yield person


async def test_they_are_asked_for_it_and_can_enroll_a_factor_then(
    world: World,
    front_end: FrontEnd,
    provider: Provider,
    grace: Person,
    refused: Refused,
    audited: Audited,
) -> None:
    found = await refused(enroll_app(world, grace), UNAUTHENTICATED, INSUFFICIENT)
    assert (found.metadata["missing"], found.metadata["methods"]) == ("freshness", "federated")
    begun = await world.challenges.BeginStepUp(
        challenges.BeginStepUpRequest(acr_values=found.metadata["acr_values"]),
        metadata=grace.metadata,
    )
    assert begun.methods == ["federated"]
    url = await front_end.begin_step_up(grace)
    asked = parse_qs(urlsplit(url).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["300"])
    assert asked["login_hint"] == [grace.email]
    answer = await front_end.complete(provider.authorize(url))
    assert (answer.purpose, answer.return_to) == ("step_up", "/account")
    before, after = claims(grace.access_token), claims(answer.access_token)
    assert after["sid"] == before["sid"]
    assert int(str(after["auth_time"])) > int(str(before["auth_time"]))
    assert "session.stepped_up" in await audited(str(after["sid"]))
    assert (await enroll_app(world, grace)).recovery_codes


async def test_another_account_at_the_provider_shows_nothing(
    world: World,
    front_end: FrontEnd,
    provider: Provider,
    grace: Person,
    refused: Refused,
    audited: Audited,
) -> None:
    mismatch = (UNAUTHENTICATED, "IDENTITY_MISMATCH")
    # Of nobody, and of somebody else who has an account here.
    provider.person.update(Somebody().claims())
    await refused(
        front_end.complete(provider.authorize(await front_end.begin_step_up(grace))), *mismatch
    )
    # Though it says the same address.
    provider.person.update(sub="another", email=grace.email)
    await refused(
        front_end.complete(provider.authorize(await front_end.begin_step_up(grace))), *mismatch
    )
    await refused(enroll_app(world, grace), UNAUTHENTICATED, INSUFFICIENT)
    assert "login.failed" in await audited(grace.id)


@pytest.mark.parametrize(
    "said",
    [None, 0, True, "now", float("inf"), float("nan"), -1e300, 6 * 60 + 1, -62],
    ids=str,
)
async def test_a_provider_has_to_say_that_it_asked_lately(
    world: World,
    front_end: FrontEnd,
    provider: Provider,
    grace: Person,
    refused: Refused,
    said: Any,
) -> None:
    honest = provider.id_token

    def alter(found: dict[str, Any]) -> None:
        honest(found)
        is_age = isinstance(said, int) and abs(said) > 1
        found["auth_time"] = found["auth_time"] - said if is_age else said

    provider.id_token = alter
    brought = provider.authorize(await front_end.begin_step_up(grace))
    found = await refused(front_end.complete(brought), *INVALID_RESPONSE)
    assert found.metadata["check"] == "auth_time"


async def test_it_counts_from_when_the_provider_asked(
    world: World, front_end: FrontEnd, provider: Provider, grace: Person, refused: Refused
) -> None:
    honest = provider.id_token

    def four_minutes_ago(found: dict[str, Any]) -> None:
        honest(found)
        found["auth_time"] -= 240

    provider.id_token = four_minutes_ago
    await front_end.complete(provider.authorize(await front_end.begin_step_up(grace)))
    with world.clock.later(LATER + timedelta(seconds=90)):
        await refused(enroll_app(world, grace), UNAUTHENTICATED, INSUFFICIENT)


async def test_it_is_of_the_session_and_the_browser_that_began_it(
    world: World,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    grace: Person,
    refused: Refused,
) -> None:
    brought = provider.authorize(await front_end.begin_step_up(grace))
    await refused(FrontEnd(world).complete(brought), *STATE_INVALID)
    # A sign-in is no step-up: it makes a session of its own.
    other = signed_in(await front_end.sign_in_at(provider, connection_id))
    assert claims(other.access_token)["sid"] != claims(grace.access_token)["sid"]
    await refused(enroll_app(world, grace), UNAUTHENTICATED, INSUFFICIENT)
    brought = provider.authorize(await front_end.begin_step_up(grace))
    await world.auth.Logout(auth.LogoutRequest(refresh_token=grace.refresh_token))
    await refused(front_end.complete(brought), *STATE_INVALID)


async def test_of_twenty_at_once_with_one_answer_one_is_right(
    front_end: FrontEnd, provider: Provider, grace: Person
) -> None:
    brought = provider.authorize(await front_end.begin_step_up(grace))
    done = await asyncio.gather(
        *(front_end.complete(brought) for _ in range(20)), return_exceptions=True
    )
    right = [each for each in done if isinstance(each, pb.CompleteFederatedSignInResponse)]
    assert len(right) == 1


async def test_who_has_a_password_shows_that(
    world: World, front_end: FrontEnd, provider: Provider, connection_id: str, asks_again: None
) -> None:
    """Whoever has got hold of a session could link a provider of theirs, and confirm with it."""
    person = await world.new_person(str(provider.person["email"]))
    signed = signed_in(await front_end.sign_in_at(provider, connection_id))
    assert signed.id == person.id
    begun = await world.challenges.BeginStepUp(
        challenges.BeginStepUpRequest(), metadata=signed.metadata
    )
    assert begun.methods == ["password"]


async def test_to_link_a_provider_takes_as_much_as_to_enroll_a_factor(
    world: World, front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    person = await world.new_person(new_email())
    with world.clock.later(LATER):
        link = front_end.link(provider, connection_id, person)
        found = await refused(link, UNAUTHENTICATED, INSUFFICIENT)
    assert found.metadata["methods"] == "password"


async def test_who_has_a_provider_that_does_not_ask_again_signs_in_again(
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    github: GitHub,
    refused: Refused,
) -> None:
    connection_id = await new_platform_connection(
        world, administrator, github.base, preset="github"
    )
    email = new_email()
    github.user = {"id": time.time_ns(), "login": "grace", "name": "Grace"}
    github.emails = [{"email": email, "primary": True, "verified": True}]
    person = signed_in(await front_end.sign_in_at(github, connection_id))
    with world.clock.later(LATER):
        found = await refused(enroll_app(world, person), UNAUTHENTICATED, INSUFFICIENT)
        assert (found.metadata["missing"], found.metadata["methods"]) == ("sign_in", "")
        step_up = world.challenges.BeginStepUp(
            challenges.BeginStepUpRequest(), metadata=person.metadata
        )
        said = await refused(step_up, grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_TO_SHOW")
        assert said.metadata["missing"] == "sign_in"
        await refused(front_end.begin_step_up(person), *MISSING)
        again = signed_in(await front_end.sign_in_at(github, connection_id))
        assert (await enroll_app(world, again)).recovery_codes


async def test_a_connection_of_somebody_else_is_none_to_confirm_with(
    world: World,
    administrator: Person,
    provider: Provider,
    front_end: FrontEnd,
    grace: Person,
    refused: Refused,
) -> None:
    other = await new_platform_connection(world, administrator, provider.issuer)
    await refused(front_end.begin_step_up(grace, other), *MISSING)
