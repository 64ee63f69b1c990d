"""A passkey completes a sign-in that began with a password, and steps up a session."""

from __future__ import annotations

from datetime import timedelta

import grpc
import jwt
import pytest
from portico.auth.v1 import challenge_service_pb2 as challenges
from portico.factors.v1 import factor_service_pb2 as factors

from tests.core.calls import race
from tests.core.conftest import Refused
from tests.core.factors.conftest import enroll_app
from tests.core.passkeys.conftest import Visitor
from tests.core.world import World, bearer
from tests.support.authenticator import UV, Wrong, encoded

FAILED = grpc.StatusCode.FAILED_PRECONDITION
INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


async def test_after_the_password_a_passkey_is_asked_for(holder: Visitor) -> None:
    begun = await holder.login()
    assert (begun.mfa_required, list(begun.methods)) == (True, ["passkey", "recovery_code"])
    options = await holder.challenge_options(begun.challenge)
    ids = [each["id"] for each in options["allowCredentials"]]
    assert ids == [encoded(holder.authenticator.credentials[0].id)]
    made = holder.authenticator.get(options)
    done = await holder.complete(begun.challenge, made, begun.device_token)
    said = jwt.decode(done.access_token, options={"verify_signature": False})
    assert (said["acr"], said["amr"]) == ("phr", ["mfa", "pwd", "swk", "user"])


async def test_a_challenge_is_answered_once_by_twenty_requests(holder: Visitor) -> None:
    begun = await holder.login()
    made = holder.authenticator.get(await holder.challenge_options(begun.challenge))
    answers, reasons = await race(
        *(holder.complete(begun.challenge, made, begun.device_token) for _ in range(20))
    )
    assert len(answers) == 1
    assert len(reasons) == 19


async def test_an_authenticator_that_does_not_say_whose_it_is_will_do(holder: Visitor) -> None:
    """The person is known here, and security keys need not say it."""
    begun = await holder.login()
    options = await holder.challenge_options(begun.challenge)
    made = holder.authenticator.get(options, Wrong(user_handle=b""))
    assert (await holder.complete(begun.challenge, made, begun.device_token)).access_token


@pytest.mark.parametrize("said", [None, ""])
async def test_nobody_is_a_user_handle_however_it_is_written(
    holder: Visitor, said: str | None
) -> None:
    """tweag/webauthn#147 (Safari sends ""), Yubico/java-webauthn-server#12 (Chrome an empty one)"""
    begun = await holder.login()
    made = holder.authenticator.get(await holder.challenge_options(begun.challenge))
    made["response"]["userHandle"] = said
    assert (await holder.complete(begun.challenge, made, begun.device_token)).access_token


async def test_an_answer_to_another_challenge_is_refused(holder: Visitor, refused: Refused) -> None:
    first, second = await holder.login(), await holder.login()
    made = holder.authenticator.get(await holder.challenge_options(first.challenge))
    call = holder.complete(second.challenge, made, second.device_token)
    await refused(call, FAILED, "PASSKEY_CHALLENGE_INVALID")
    alone = holder.authenticator.get(await holder.request_options())
    call = holder.complete(first.challenge, alone, first.device_token)
    await refused(call, FAILED, "PASSKEY_CHALLENGE_INVALID")


async def test_an_answer_to_a_challenge_signs_nobody_in_alone(
    holder: Visitor, refused: Refused
) -> None:
    begun = await holder.login()
    options = await holder.challenge_options(begun.challenge)
    made = holder.authenticator.get(options)
    await refused(holder.enter(options, made), FAILED, "PASSKEY_CHALLENGE_INVALID")


async def test_another_persons_passkey_is_refused(
    world: World, holder: Visitor, refused: Refused
) -> None:
    thief = Visitor(world, await world.new_person())
    await thief.register()
    begun = await holder.login()
    options = await holder.challenge_options(begun.challenge)
    for handle in (None, b"", holder.authenticator.credentials[0].user_handle):
        made = thief.authenticator.get(options, Wrong(user_handle=handle))
        call = holder.complete(begun.challenge, made, begun.device_token)
        refusal = await refused(call, UNAUTHENTICATED, "PASSKEY_INVALID")
        assert refusal.metadata == {"rule": "credential_id"}


async def test_a_swapped_user_handle_is_refused(holder: Visitor, refused: Refused) -> None:
    begun = await holder.login()
    options = await holder.challenge_options(begun.challenge)
    made = holder.authenticator.get(options, Wrong(user_handle=bytes(32)))
    call = holder.complete(begun.challenge, made, begun.device_token)
    refusal = await refused(call, UNAUTHENTICATED, "PASSKEY_INVALID")
    assert refusal.metadata == {"rule": "user_handle"}


async def test_wrong_answers_lock_no_passkey(holder: Visitor, refused: Refused) -> None:
    """Nobody guesses a signature: who knows the password must not lock the owner out by it."""
    begun = await holder.login()
    options = await holder.challenge_options(begun.challenge)
    for _ in range(12):
        made = holder.authenticator.get(options, Wrong(flags=UV))
        call = holder.complete(begun.challenge, made, begun.device_token)
        refusal = await refused(call, UNAUTHENTICATED, "PASSKEY_INVALID")
        assert refusal.metadata == {"rule": "user_verification"}
    made = holder.authenticator.get(options)
    assert (await holder.complete(begun.challenge, made, begun.device_token)).access_token


async def test_a_challenge_without_a_credential_is_refused(
    holder: Visitor, refused: Refused
) -> None:
    begun = await holder.login()
    call = holder.world.challenges.CompleteChallenge(
        challenges.CompleteChallengeRequest(
            challenge=begun.challenge, method="passkey", device_token=begun.device_token
        )
    )
    refusal = await refused(call, INVALID, "VALIDATION_ERROR")
    assert refusal.fields == ("credential.type",)


async def test_who_has_no_passkey_is_not_asked_for_one(
    world: World, visitor: Visitor, refused: Refused
) -> None:
    await enroll_app(world, visitor.person)
    begun = await visitor.login()
    assert "passkey" not in begun.methods
    options = await visitor.challenge_options(begun.challenge)
    assert options["allowCredentials"] == []
    visitor.authenticator.create({"rp": {"id": "localhost"}, "user": {"id": ""}, "challenge": ""})
    made = visitor.authenticator.get(options)
    call = visitor.complete(begun.challenge, made, begun.device_token)
    await refused(call, INVALID, "METHOD_NOT_AVAILABLE")


async def test_a_challenge_that_is_made_up_has_no_options(
    visitor: Visitor, refused: Refused
) -> None:
    await refused(visitor.challenge_options("made up"), UNAUTHENTICATED, "CHALLENGE_EXPIRED")


async def test_a_session_steps_up_by_a_passkey(
    world: World, holder: Visitor, refused: Refused
) -> None:
    world.clock.advance(timedelta(minutes=6))
    refusal = await refused(
        holder.creation_options(), UNAUTHENTICATED, "INSUFFICIENT_USER_AUTHENTICATION"
    )
    assert refusal.metadata["methods"] == "passkey recovery_code"
    begun = await world.challenges.BeginStepUp(
        challenges.BeginStepUpRequest(), metadata=holder.person.metadata
    )
    made = holder.authenticator.get(await holder.challenge_options(begun.challenge))
    done = await holder.complete(begun.challenge, made)
    assert await world.factors.CreateRecoveryCodes(
        factors.CreateRecoveryCodesRequest(), metadata=bearer(done.access_token)
    )
