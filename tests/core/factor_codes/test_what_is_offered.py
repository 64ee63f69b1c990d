"""What a refusal offers is what its challenge takes, and it leads to where the person wanted."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.auth.v1 import challenge_service_pb2 as challenges
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.factors.models import RecoveryCode
from tests.core.conftest import Refused
from tests.core.factor_codes.conftest import Member
from tests.core.factors.conftest import enroll_app
from tests.core.factors.test_step_up import INSUFFICIENT, UNAUTHENTICATED, new_key, step_up
from tests.core.world import Person, bearer

NEW = "a sentence of my own"


@pytest.fixture
async def recovery_codes(ada: Member) -> list[str]:
    """Of Ada, who has a code by mail as her only factor, and has set her password by mail."""
    enrolled = await ada.enroll_email()
    await ada.world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=ada.person.email))
    token = (await ada.world.mail(ada.person.email, "reset_password"))["token"]
    await ada.world.auth.ResetPassword(auth.ResetPasswordRequest(token=token, new_password=NEW))
    begun = await ada.world.auth.Login(auth.LoginRequest(email=ada.person.email, password=NEW))
    assert list(begun.methods) == ["email", "recovery_code"]
    await ada.send(begun.challenge)
    done = await ada.complete(begun, await ada.mailed())
    person = ada.person
    ada.person = Person(person.id, person.email, done.access_token, done.refresh_token, NEW)
    return list(enrolled.recovery_codes)


async def begin(ada: Member, acr: str = "") -> challenges.BeginStepUpResponse:
    return await ada.world.challenges.BeginStepUp(
        challenges.BeginStepUpRequest(acr_values=acr), metadata=ada.person.metadata
    )


async def test_only_what_reaches_the_level_is_offered(
    ada: Member, recovery_codes: list[str], refused: Refused
) -> None:
    organization_id = await ada.world.new_organization(ada.person)
    create = new_key(ada.world, organization_id, ada.person.metadata)
    found = await refused(create, UNAUTHENTICATED, INSUFFICIENT)
    assert (found.metadata["missing"], found.metadata["methods"]) == ("factor", "recovery_code")
    assert (await begin(ada, found.metadata["acr_values"])).methods == ["recovery_code"]
    assert (await begin(ada)).methods == ["recovery_code"]
    code = recovery_codes[0]
    token = await step_up(ada.world, ada.person, method="recovery_code", code=code)
    assert await new_key(ada.world, organization_id, bearer(token))


async def test_who_has_nothing_that_would_do_is_led_to_a_factor_that_does(
    ada: Member, recovery_codes: list[str], refused: Refused
) -> None:
    world, organization_id = ada.world, await ada.world.new_organization(ada.person)
    async with AsyncSession(world.engine) as db, db.begin():
        await db.execute(delete(RecoveryCode))
    create = new_key(world, organization_id, ada.person.metadata)
    found = await refused(create, UNAUTHENTICATED, INSUFFICIENT)
    assert (found.metadata["missing"], found.metadata["methods"]) == ("enrollment", "")
    nothing = (grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_TO_SHOW")
    said = await refused(begin(ada, "urn:portico:aal2"), *nothing)
    assert said.metadata["missing"] == "enrollment"
    # To enroll one they show the most that they have, once more if it is long ago.
    world.clock.advance(timedelta(minutes=6))
    stale = await refused(enroll_app(world, ada.person), UNAUTHENTICATED, INSUFFICIENT)
    assert (stale.metadata["missing"], stale.metadata["methods"]) == ("freshness", "email")
    begun = await begin(ada, stale.metadata["acr_values"])
    assert begun.methods == ["email"]
    await ada.send(begun.challenge)
    await world.challenges.CompleteChallenge(
        challenges.CompleteChallengeRequest(
            challenge=begun.challenge, method="email", code=await ada.mailed()
        )
    )
    await enroll_app(world, ada.person)
    assert await new_key(world, organization_id, ada.person.metadata)


async def test_for_a_passkey_nothing_else_is_offered(ada: Member, refused: Refused) -> None:
    app = await enroll_app(ada.world, ada.person)
    nothing = (grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_TO_SHOW")
    await refused(begin(ada, "phr"), *nothing)
    assert (await begin(ada, "urn:portico:aal2")).methods == ["recovery_code", "totp"]
    # Who asks for less than they can is offered no less.
    assert (await begin(ada, "urn:portico:aal1")).methods == ["recovery_code", "totp"]
    assert app.recovery_codes
