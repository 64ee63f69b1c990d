"""Step-up: what a method asks for by contract, and how a session gets there (RFC 9470)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.auth.v1 import challenge_service_pb2 as challenges
from portico.factors.v1 import factor_service_pb2 as factors
from portico.keys.v1 import api_key_service_pb2 as keys
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from portico_contract import AssuranceLevel, Method, StepUp, methods, services
from server.features.users.models import User
from tests.core.auth.conftest import claims
from tests.core.conftest import Audited, Refused
from tests.core.factors.conftest import Protected, enroll_app
from tests.core.world import PASSWORD, Person, World, bearer, refusal

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
Metadata = tuple[tuple[str, str], ...]
INSUFFICIENT = "INSUFFICIENT_USER_AUTHENTICATION"
LATER = timedelta(minutes=6)

ASKING = [
    method for service in services() for method in methods(service) if method.step_up is not None
]


@dataclass
class Caller:
    """Somebody who may do everything, but has shown their factor long ago."""

    world: World
    metadata: Metadata
    organization_id: str

    def call(self, method: Method) -> Any:
        """Calls a method; what else is in the request is looked at later."""
        request = method.request()
        if method.names_organization:
            request = method.request(organization_id=self.organization_id)
        return self.world.channel.unary_unary(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )(request, metadata=self.metadata)


@pytest.fixture(scope="module")
async def caller(world: World) -> Caller:
    """An administrator of the platform who owns an organization."""
    protected = await enroll_app(world, await world.new_person())
    async with AsyncSession(world.engine) as db, db.begin():
        account = update(User).where(User.email == protected.person.email)
        await db.execute(account.values(role="administrator"))
    organization_id = await world.new_organization(protected.person)
    return Caller(world, protected.person.metadata, organization_id)


@pytest.mark.parametrize("method", ASKING, ids=lambda method: method.name)
async def test_every_method_that_asks_refuses_a_stale_session_and_says_what_it_needs(
    world: World, caller: Caller, method: Method
) -> None:
    assert method.step_up is not None
    assert method.step_up.max_age is not None
    later = timedelta(seconds=method.step_up.max_age + 1)
    with world.clock.later(later), pytest.raises(aio.AioRpcError) as caught:
        await caller.call(method)
    found = refusal(caught.value)
    assert (found.code, found.reason) == (UNAUTHENTICATED, INSUFFICIENT)
    assert found.metadata["acr_values"] == "urn:portico:aal2"
    assert found.metadata["methods"] == "recovery_code totp"
    assert found.metadata["max_age"] == str(method.step_up.max_age)
    challenge = dict(caught.value.trailing_metadata() or ())["www-authenticate"]
    assert challenge == (
        'Bearer error="insufficient_user_authentication", '
        f'acr_values="urn:portico:aal2", max_age="{method.step_up.max_age}"'
    )


def test_what_signs_somebody_in_or_gives_rights_away_asks() -> None:
    asked = {method.name: method.step_up for method in ASKING}
    if_enrolled = StepUp(AssuranceLevel.SECOND_FACTOR_IF_ENROLLED, 300)
    highest = StepUp(AssuranceLevel.HIGHEST_ENROLLED, 300)
    for name in (
        "ChangePassword",
        "DeleteMe",
        "RequestEmailChange",
        "CreateApiKey",
        "UpdateApiKey",
        "RotateApiKey",
        "ImportApiKeys",
        "CreateWebhook",
        "RotateWebhookSecret",
        "UpdateMember",
        "CreateInvitation",
        "AppointOwner",
        "DeleteOrganization",
        "CreateUser",
        "UpdateUser",
        "DeleteUser",
        "UpdateSecurityPolicy",
        "UpdateMemberSecurityPolicy",
    ):
        assert asked[name] == if_enrolled, name
    assert asked["ResetUserFactors"] == StepUp(AssuranceLevel.AAL2, 300)
    for name in (
        "DeleteFactor",
        "BeginTotpEnrollment",
        "ConfirmTotpEnrollment",
        "CreateRecoveryCodes",
        "BeginPasskeyRegistration",
        "BeginLink",
    ):
        assert asked[name] == highest, name
    # Its challenge is as old as that at the most, and valid for five minutes.
    assert asked["FinishPasskeyRegistration"] == StepUp(AssuranceLevel.HIGHEST_ENROLLED, 600)


async def step_up(world: World, person: Person, **answer: Any) -> str:
    """A new access token of the same session, for the right answer."""
    begun = await world.challenges.BeginStepUp(
        challenges.BeginStepUpRequest(), metadata=person.metadata
    )
    request = challenges.CompleteChallengeRequest(challenge=begun.challenge, **answer)
    return (await world.challenges.CompleteChallenge(request)).access_token


async def new_key(world: World, organization_id: str, metadata: Any) -> Any:
    return await world.keys.CreateApiKey(
        keys.CreateApiKeyRequest(
            organization_id=organization_id, name="a key", scopes=["organization:read"]
        ),
        metadata=metadata,
    )


async def test_a_second_factor_is_shown_again_in_the_middle_of_the_work(
    world: World, protected: Protected, refused: Refused, audited: Audited
) -> None:
    person = protected.person
    organization_id = await world.new_organization(person)
    assert await new_key(world, organization_id, person.metadata)
    world.clock.advance(LATER)
    found = await refused(
        new_key(world, organization_id, person.metadata), UNAUTHENTICATED, INSUFFICIENT
    )
    assert found.metadata["missing"] == "freshness"
    token = await step_up(world, person, method="totp", code=protected.app.code())
    assert claims(token)["sid"] == claims(person.access_token)["sid"]
    # The session is what counts: the token that was there is as good as the new one.
    assert await new_key(world, organization_id, bearer(token))
    assert await new_key(world, organization_id, person.metadata)
    assert "session.stepped_up" in await audited(str(claims(token)["sid"]))


async def test_people_without_a_second_factor_are_not_asked_for_one(
    world: World, owner: Person
) -> None:
    organization_id = await world.new_organization(owner)
    with world.clock.later(LATER):
        assert await new_key(world, organization_id, owner.metadata)


async def test_the_password_is_what_people_without_a_factor_show_again(
    world: World, owner: Person, refused: Refused
) -> None:
    world.clock.advance(LATER)
    wrong = step_up(world, owner, method="password", password="not this one")
    await refused(wrong, UNAUTHENTICATED, "INVALID_CREDENTIALS")
    token = await step_up(world, owner, method="password", password=PASSWORD)
    begun = await world.factors.BeginTotpEnrollment(
        factors.BeginTotpEnrollmentRequest(), metadata=bearer(token)
    )
    assert begun.secret


async def test_the_password_is_no_second_factor(
    world: World, protected: Protected, refused: Refused
) -> None:
    answer = step_up(world, protected.person, method="password", password=PASSWORD)
    await refused(answer, grpc.StatusCode.INVALID_ARGUMENT, "METHOD_NOT_AVAILABLE")


async def test_an_api_key_is_never_asked(world: World, protected: Protected) -> None:
    person = protected.person
    organization_id = await world.new_organization(person)
    secret = (
        await world.new_key(organization_id, person, "keys:write", "organization:read")
    ).secret
    with world.clock.later(LATER):
        assert await new_key(world, organization_id, await world.key_metadata(secret))


async def test_a_step_up_of_a_session_that_has_ended_gives_nothing(
    world: World, protected: Protected, refused: Refused
) -> None:
    person = protected.person
    begun = await world.challenges.BeginStepUp(
        challenges.BeginStepUpRequest(), metadata=person.metadata
    )
    await world.auth.Logout(auth.LogoutRequest(refresh_token=person.refresh_token))
    request = challenges.CompleteChallengeRequest(
        challenge=begun.challenge, method="totp", code=protected.next_code()
    )
    await refused(world.challenges.CompleteChallenge(request), UNAUTHENTICATED, "CHALLENGE_EXPIRED")
