"""Login of people who have a second factor: a challenge, and tokens for the right answer."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.users.v1 import user_service_pb2 as users
from portico.users.v1.user_pb2 import User

from tests.core.auth.conftest import claims
from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.factors.conftest import Protected, enroll_app
from tests.core.world import PASSWORD, Person, World

INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


async def me(world: World, protected: Protected) -> User:
    """The account of now."""
    metadata = protected.person.metadata
    return (await world.users.GetMe(users.GetMeRequest(), metadata=metadata)).user


async def test_people_without_a_factor_sign_in_as_before(world: World, owner: Person) -> None:
    answer = await world.auth.Login(auth.LoginRequest(email=owner.email, password=PASSWORD))
    assert not answer.mfa_required
    assert (answer.challenge, list(answer.methods)) == ("", [])
    said = claims(answer.access_token)
    assert (said["acr"], said["amr"]) == ("urn:portico:aal1", ["pwd"])
    assert abs(int(str(said["auth_time"])) - world.clock().timestamp()) < 60


async def test_the_password_alone_gives_a_challenge_and_no_tokens(
    protected: Protected, audited: Audited
) -> None:
    begun = await protected.login()
    assert begun.mfa_required
    assert list(begun.methods) == ["recovery_code", "totp"]
    assert (begun.access_token, begun.refresh_token, begun.HasField("user")) == ("", "", False)
    done = await protected.complete(begun, protected.next_code())
    assert done.user.HasField("last_login_at")
    said = claims(done.access_token)
    assert (said["acr"], said["amr"]) == ("urn:portico:aal2", ["mfa", "otp", "pwd"])
    assert "login.succeeded" in await audited(str(said["sid"]))


async def test_a_sign_in_that_stops_at_the_second_factor_is_none(
    world: World, protected: Protected
) -> None:
    before = (await me(world, protected)).last_login_at
    await protected.login()
    assert (await me(world, protected)).last_login_at == before
    await protected.login(protected.next_code())
    assert (await me(world, protected)).last_login_at != before


async def test_a_code_with_the_password_gives_tokens_at_once(protected: Protected) -> None:
    answer = await protected.login(protected.next_code())
    assert not answer.mfa_required
    assert claims(answer.access_token)["acr"] == "urn:portico:aal2"


async def test_tokens_say_how_the_person_signed_in_after_a_refresh_as_well(
    world: World, protected: Protected
) -> None:
    answer = await protected.login(protected.next_code())
    world.clock.advance(timedelta(minutes=10))
    request = auth.RefreshTokenRequest(refresh_token=answer.refresh_token)
    refreshed = claims((await world.auth.RefreshToken(request)).access_token)
    said = claims(answer.access_token)
    assert [refreshed[name] for name in ("acr", "amr", "auth_time")] == [
        said[name] for name in ("acr", "amr", "auth_time")
    ]


async def test_the_code_that_enrolled_the_app_signs_nobody_in(
    protected: Protected, refused: Refused
) -> None:
    await refused(protected.login(protected.app.code()), INVALID, "CODE_INVALID")


async def test_a_code_is_good_once(protected: Protected, refused: Refused) -> None:
    code = protected.next_code()
    await protected.login(code)
    await refused(protected.login(code), INVALID, "CODE_INVALID")


async def test_twenty_answers_at_once_give_one_session(protected: Protected) -> None:
    begun = await protected.login()
    code = protected.next_code()
    answers, reasons = await race(*(protected.complete(begun, code) for _ in range(20)))
    assert len(answers) == 1
    assert set(reasons) == {"CHALLENGE_EXPIRED"}


async def test_one_code_at_twenty_challenges_gives_one_session(protected: Protected) -> None:
    challenges = [await protected.login() for _ in range(8)]
    code = protected.next_code()
    answers, reasons = await race(*(protected.complete(begun, code) for begun in challenges))
    assert len(answers) == 1
    assert set(reasons) <= {"CODE_INVALID", "TOO_MANY_ATTEMPTS"}


async def test_five_wrong_answers_end_a_challenge(
    world: World, protected: Protected, refused: Refused
) -> None:
    begun = await protected.login()
    for _ in range(5):
        await refused(
            protected.complete(begun, protected.app.wrong_code()), INVALID, "CODE_INVALID"
        )
    world.clock.advance(timedelta(seconds=60))
    await refused(
        protected.complete(begun, protected.app.code()), UNAUTHENTICATED, "CHALLENGE_EXPIRED"
    )


async def test_new_challenges_give_no_new_attempts(
    world: World, protected: Protected, refused: Refused
) -> None:
    """Whoever knows the password gets 10 in 15 minutes, and its owner a mail."""
    for _ in range(10):
        world.clock.advance(timedelta(seconds=40))
        wrong = protected.app.wrong_code()
        await refused(protected.complete(await protected.login(), wrong), INVALID, "CODE_INVALID")
    world.clock.advance(timedelta(seconds=40))
    stopped = await refused(
        protected.complete(await protected.login(), protected.app.code()),
        EXHAUSTED,
        "TOO_MANY_ATTEMPTS",
    )
    assert stopped.retry_after
    assert len(await world.mails(protected.person.email, "sign_in_blocked")) == 1


async def test_a_device_that_is_known_is_not_locked_out_by_a_stranger(
    world: World, protected: Protected, refused: Refused
) -> None:
    own = await protected.login(protected.next_code())
    for _ in range(10):
        world.clock.advance(timedelta(seconds=40))
        wrong = protected.app.wrong_code()
        await refused(protected.complete(await protected.login(), wrong), INVALID, "CODE_INVALID")
    begun = await protected.login(device_token=own.device_token)
    assert (await protected.complete(begun, protected.next_code())).access_token


async def test_a_challenge_is_good_for_five_minutes(
    world: World, protected: Protected, refused: Refused
) -> None:
    begun = await protected.login()
    world.clock.advance(timedelta(minutes=5, seconds=1))
    await refused(
        protected.complete(begun, protected.app.code()), UNAUTHENTICATED, "CHALLENGE_EXPIRED"
    )


async def test_a_challenge_is_completed_on_the_device_that_began_it(
    protected: Protected, refused: Refused
) -> None:
    begun = await protected.login()
    other = await protected.login()
    code = protected.next_code()
    for token in (other.device_token, "none of ours"):
        await refused(
            protected.complete(begun, code, device_token=token),
            UNAUTHENTICATED,
            "CHALLENGE_EXPIRED",
        )
    assert (await protected.complete(begun, code)).access_token


async def test_a_recovery_code_is_good_once_however_it_is_typed(
    world: World, protected: Protected, refused: Refused
) -> None:
    code = protected.recovery_codes[0]
    typed = f" {code.lower().replace('-', ' ')} "
    begun = await protected.login()
    done = await protected.complete(begun, typed, "recovery_code")
    assert claims(done.access_token)["acr"] == "urn:portico:aal2"
    said = await world.mail(protected.person.email, "recovery_code_used")
    assert said["codes_left"] == "9"
    await refused(protected.login(code), INVALID, "CODE_INVALID")


async def test_one_recovery_code_at_several_challenges_gives_one_session(
    protected: Protected,
) -> None:
    challenges = [await protected.login() for _ in range(5)]
    code = protected.recovery_codes[0]
    answers, reasons = await race(
        *(protected.complete(begun, code, "recovery_code") for begun in challenges)
    )
    assert len(answers) == 1
    assert set(reasons) <= {"CODE_INVALID"}


async def test_another_persons_codes_are_of_no_use(
    world: World, protected: Protected, refused: Refused
) -> None:
    other = await enroll_app(world, await world.new_person())
    begun = await protected.login()
    for code, method in ((other.recovery_codes[0], "recovery_code"), (other.next_code(), "totp")):
        await refused(protected.complete(begun, code, method), INVALID, "CODE_INVALID")


async def test_the_password_does_not_answer_for_the_second_factor(
    protected: Protected, refused: Refused
) -> None:
    begun = await protected.login()
    await refused(protected.complete(begun, PASSWORD, "password"), INVALID, "METHOD_NOT_AVAILABLE")


async def test_a_changed_password_ends_the_challenges_of_the_old_one(
    world: World, protected: Protected, refused: Refused
) -> None:
    begun = await protected.login()
    request = users.ChangePasswordRequest(
        current_password=PASSWORD, new_password="correct horse battery staple 9"
    )
    await world.users.ChangePassword(request, metadata=protected.person.metadata)
    await refused(
        protected.complete(begun, protected.next_code()), UNAUTHENTICATED, "CHALLENGE_EXPIRED"
    )


async def test_a_reset_password_still_needs_the_second_factor(
    world: World, protected: Protected
) -> None:
    email = protected.person.email
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=email))
    token = (await world.mail(email, "reset_password"))["token"]
    new_password = "correct horse battery staple 7"
    await world.auth.ResetPassword(
        auth.ResetPasswordRequest(token=token, new_password=new_password)
    )
    begun = await world.auth.Login(auth.LoginRequest(email=email, password=new_password))
    assert begun.mfa_required


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "AAAAA-AAAAA"])
async def test_what_is_no_code_is_wrong(protected: Protected, refused: Refused, code: str) -> None:
    begun = await protected.login()
    await refused(protected.complete(begun, code), INVALID, "CODE_INVALID")
