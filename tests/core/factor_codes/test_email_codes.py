"""Codes by mail: enrolled with the account's address, asked for at a sign-in, good once."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.factors.v1 import factor_service_pb2 as factors
from sqlalchemy import text

from tests.core.auth.conftest import claims
from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.factor_codes.conftest import MINUTE, Member, Members, wrong
from tests.core.factors.conftest import enroll_app
from tests.core.world import World, new_email

INVALID = grpc.StatusCode.INVALID_ARGUMENT
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
FAILED = grpc.StatusCode.FAILED_PRECONDITION
# The digits 1 to 6 of other scripts, which str.isdigit() takes for digits.
ARABIC, FULL_WIDTH = ("".join(chr(zero + n) for n in range(1, 7)) for zero in (0x0660, 0xFF10))
EXISTS = grpc.StatusCode.ALREADY_EXISTS
# Where something that was sent could be kept.
KEEPING = ("factor_codes", "audit_log", "events", "emails", "text_messages")


async def kinds(member: Member) -> list[str]:
    """What factors somebody has."""
    answer = await member.world.factors.ListFactors(
        factors.ListFactorsRequest(), metadata=member.person.metadata
    )
    return [each.type for each in answer.factors]


async def test_a_code_to_the_address_of_the_account_enrolls_it(
    ada: Member, audited: Audited
) -> None:
    begun = await ada.begin_email()
    assert (begun.sent_to, begun.expires_in) == ("a***@example.com", 600)
    mail = await ada.world.mail(ada.person.email, "enrollment_code")
    assert mail["valid_for"] == "10 minutes"
    done = await ada.confirm_email(mail["code"])
    assert (done.factor.type, done.factor.name) == ("email", "Codes by mail")
    assert len(done.recovery_codes) == 10
    assert await audited(done.factor.id) == ["factor.added"]
    assert await ada.world.mails(ada.person.email, "factor_added")


async def test_it_is_enrolled_once(ada: Member, refused: Refused) -> None:
    await ada.enroll_email()
    await refused(ada.begin_email(), EXISTS, "FACTOR_EXISTS")
    await refused(ada.confirm_email("000000"), EXISTS, "FACTOR_EXISTS")


async def test_of_twenty_confirmations_at_once_one_enrolls(ada: Member) -> None:
    await ada.begin_email()
    code = await ada.mailed("enrollment_code")
    answers, reasons = await race(*(ada.confirm_email(code) for _ in range(20)))
    assert len(answers) == 1
    assert set(reasons) <= {"FACTOR_EXISTS", "CODE_INVALID", "ENROLLMENT_EXPIRED"}
    assert await kinds(ada) == ["email"]


async def test_a_sign_in_takes_the_code_that_was_mailed_for_it(
    ada: Member, audited: Audited
) -> None:
    await ada.enroll_email()
    begun = await ada.login()
    assert list(begun.methods) == ["email", "recovery_code"]
    assert await ada.world.mails(ada.person.email, "challenge_code") == []
    await ada.send(begun.challenge)
    done = await ada.complete(begun, await ada.mailed())
    said = claims(done.access_token)
    assert (said["acr"], said["amr"]) == ("urn:portico:aal2", ["mfa", "otp", "pwd"])


async def test_the_mail_says_how_long_the_code_is_good_which_the_challenge_limits(
    ada: Member,
) -> None:
    await ada.enroll_email()
    begun = await ada.login()
    ada.world.clock.advance(timedelta(minutes=2, seconds=30))
    await ada.send(begun.challenge)
    mail = await ada.world.mail(ada.person.email, "challenge_code")
    assert mail["valid_for"] == "2 minutes"
    assert mail["client_address"] == ada.address


async def test_twenty_right_answers_at_once_give_one_session(ada: Member) -> None:
    await ada.enroll_email()
    begun = await ada.login()
    await ada.send(begun.challenge)
    code = await ada.mailed()
    answers, reasons = await race(*(ada.complete(begun, code) for _ in range(20)))
    assert len(answers) == 1
    assert set(reasons) == {"CHALLENGE_EXPIRED"}


async def test_five_wrong_tries_end_a_code(ada: Member, refused: Refused) -> None:
    await ada.begin_email()
    code = await ada.mailed("enrollment_code")
    for _ in range(5):
        await refused(ada.confirm_email(wrong(code)), INVALID, "CODE_INVALID")
    await refused(ada.confirm_email(code), FAILED, "ENROLLMENT_EXPIRED")


async def test_four_wrong_tries_leave_a_code_good(ada: Member, refused: Refused) -> None:
    await ada.begin_email()
    code = await ada.mailed("enrollment_code")
    for _ in range(4):
        await refused(ada.confirm_email(wrong(code)), INVALID, "CODE_INVALID")
    assert (await ada.confirm_email(code)).factor.type == "email"


async def test_of_a_hundred_guesses_at_once_five_are_looked_at(ada: Member) -> None:
    await ada.begin_email()
    code = await ada.mailed("enrollment_code")
    guesses = [f"{(int(code) + number) % 1_000_000:06}" for number in range(1, 101)]
    answers, reasons = await race(*(ada.confirm_email(guess) for guess in guesses))
    assert answers == []
    assert reasons.count("CODE_INVALID") <= 5
    last, _ = await race(ada.confirm_email(code))
    assert last == []


async def test_a_code_is_good_for_ten_minutes(ada: Member, refused: Refused) -> None:
    await ada.begin_email()
    code = await ada.mailed("enrollment_code")
    ada.world.clock.advance(timedelta(minutes=10))
    await ada.step_up()
    await refused(ada.confirm_email(code), FAILED, "ENROLLMENT_EXPIRED")


async def test_a_new_code_voids_the_one_before(ada: Member, refused: Refused) -> None:
    await ada.begin_email()
    first = await ada.mailed("enrollment_code")
    again = await refused(ada.begin_email(), EXHAUSTED, "CODE_SENT_RECENTLY")
    assert again.retry_after is not None
    assert 0 < again.retry_after <= 60
    ada.world.clock.advance(MINUTE)
    await ada.begin_email()
    second = await ada.mailed("enrollment_code")
    if first != second:
        await refused(ada.confirm_email(first), INVALID, "CODE_INVALID")
    await ada.confirm_email(second)


async def test_of_a_thousand_codes_asked_for_at_once_one_is_mailed(ada: Member) -> None:
    await ada.enroll_email()
    begun = await ada.login()
    answers, reasons = await race(*(ada.send(begun.challenge) for _ in range(1000)))
    assert len(answers) == 1
    assert set(reasons) <= {"CODE_SENT_RECENTLY", "UNAVAILABLE", "RATE_LIMIT_EXCEEDED"}
    assert len(await ada.world.mails(ada.person.email, "challenge_code")) == 1


async def test_an_address_gets_five_codes_an_hour(ada: Member, refused: Refused) -> None:
    await ada.enroll_email()
    for _ in range(4):
        await ada.send((await ada.login()).challenge)
    stopped = await refused(
        ada.send((await ada.login()).challenge), EXHAUSTED, "RATE_LIMIT_EXCEEDED"
    )
    assert stopped.retry_after


async def test_a_refused_code_leaves_the_one_before_good(ada: Member, refused: Refused) -> None:
    await ada.enroll_email()
    for _ in range(3):
        await ada.send((await ada.login()).challenge)
    begun = await ada.login()
    await ada.send(begun.challenge)
    ada.world.clock.advance(MINUTE)
    await refused(ada.send(begun.challenge), EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    await ada.complete(begun, await ada.mailed())


async def test_a_code_of_another_challenge_is_of_no_use(ada: Member, refused: Refused) -> None:
    await ada.enroll_email()
    first, second = await ada.login(), await ada.login()
    await ada.send(first.challenge)
    code = await ada.mailed()
    await refused(ada.complete(second, code), INVALID, "CODE_INVALID")
    await ada.send(second.challenge)
    await ada.complete(first, code)


async def test_a_code_of_somebody_else_is_of_no_use(
    ada: Member, members: Members, refused: Refused
) -> None:
    grace = await members.new()
    for one in (ada, grace):
        await one.enroll_email()
    of_ada, of_grace = await ada.login(), await grace.login()
    await ada.send(of_ada.challenge)
    await grace.send(of_grace.challenge)
    if await ada.mailed() != await grace.mailed():
        await refused(ada.complete(of_ada, await grace.mailed()), INVALID, "CODE_INVALID")


async def test_the_code_that_enrolled_it_signs_nobody_in(ada: Member, refused: Refused) -> None:
    await ada.begin_email()
    code = await ada.mailed("enrollment_code")
    await ada.confirm_email(code)
    await refused(ada.complete(await ada.login(), code), INVALID, "CODE_INVALID")


async def test_a_code_of_a_sign_in_enrolls_nothing(ada: Member, refused: Refused) -> None:
    await ada.enroll_email()
    begun = await ada.login()
    await ada.send(begun.challenge)
    listed = await ada.world.factors.ListFactors(
        factors.ListFactorsRequest(), metadata=ada.person.metadata
    )
    await ada.world.factors.DeleteFactor(
        factors.DeleteFactorRequest(factor_id=listed.factors[0].id), metadata=ada.person.metadata
    )
    await refused(ada.confirm_email(await ada.mailed()), FAILED, "ENROLLMENT_EXPIRED")


@pytest.mark.parametrize(
    "code",
    ["", "12345", "1234567", ARABIC, FULL_WIDTH, "12345\u200b", " 12345", "12345a", "-12345"],
)
async def test_a_code_is_six_digits_of_ascii(ada: Member, refused: Refused, code: str) -> None:
    await refused(ada.confirm_email(code), INVALID, "VALIDATION_ERROR")


@pytest.mark.parametrize("code", ["", FULL_WIDTH, "123456\n", "1" * 64, "123456\u200b"])
async def test_an_answer_that_is_no_code_is_a_wrong_one(
    ada: Member, refused: Refused, code: str
) -> None:
    await ada.enroll_email()
    begun = await ada.login()
    await ada.send(begun.challenge)
    await refused(ada.complete(begun, code), INVALID, "CODE_INVALID")


async def test_nobody_is_mailed_codes_who_did_not_ask_for_them_as_a_factor(
    ada: Member, members: Members, refused: Refused
) -> None:
    await ada.enroll_email()
    begun = await ada.login()
    await refused(ada.send(begun.challenge, "sms"), INVALID, "METHOD_NOT_AVAILABLE")
    await refused(
        ada.send("a challenge that there is not"),
        grpc.StatusCode.UNAUTHENTICATED,
        "CHALLENGE_EXPIRED",
    )


async def test_codes_follow_the_address_of_the_account(ada: Member, refused: Refused) -> None:
    await ada.enroll_email()
    begun = await ada.login()
    await ada.send(begun.challenge)
    old = await ada.mailed()
    address = new_email()
    await ada.world.change_email(ada.person, address)
    # It was mailed to an address that the account has no more.
    await refused(ada.complete(begun, old), INVALID, "CODE_INVALID")
    ada.world.clock.advance(MINUTE)
    await ada.send(begun.challenge)
    await ada.complete(begun, (await ada.world.mail(address, "challenge_code"))["code"])


async def test_a_code_by_mail_after_a_password_by_mail_is_one_factor(ada: Member) -> None:
    await ada.enroll_email()
    await ada.world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=ada.person.email))
    token = (await ada.world.mail(ada.person.email, "reset_password"))["token"]
    new = "a sentence of my own"
    await ada.world.auth.ResetPassword(auth.ResetPasswordRequest(token=token, new_password=new))
    begun = await ada.world.auth.Login(auth.LoginRequest(email=ada.person.email, password=new))
    await ada.send(begun.challenge)
    done = await ada.complete(begun, await ada.mailed())
    said = claims(done.access_token)
    assert (said["acr"], said["amr"]) == ("urn:portico:aal1", ["otp", "pwd"])


async def test_whoever_reads_the_mails_does_not_get_past_the_app(
    ada: Member, refused: Refused
) -> None:
    """A password by mail and a code by mail are one factor: where there is another it is asked."""
    app = await enroll_app(ada.world, ada.person)
    await ada.enroll_email()
    assert list((await ada.login()).methods) == ["email", "recovery_code", "totp"]
    await ada.world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=ada.person.email))
    token = (await ada.world.mail(ada.person.email, "reset_password"))["token"]
    new = "a sentence of my own"
    await ada.world.auth.ResetPassword(auth.ResetPasswordRequest(token=token, new_password=new))
    begun = await ada.world.auth.Login(auth.LoginRequest(email=ada.person.email, password=new))
    assert list(begun.methods) == ["recovery_code", "totp"]
    await refused(ada.send(begun.challenge), INVALID, "METHOD_NOT_AVAILABLE")
    await refused(ada.complete(begun, "123456"), INVALID, "METHOD_NOT_AVAILABLE")
    await ada.complete(begun, app.next_code(), "totp")


async def test_an_enrollment_needs_a_fresh_sign_in(ada: Member, refused: Refused) -> None:
    ada.world.clock.advance(timedelta(minutes=6))
    for call in (ada.begin_email(), ada.confirm_email("123456"), ada.begin_sms("+4915121234567")):
        await refused(call, grpc.StatusCode.UNAUTHENTICATED, "INSUFFICIENT_USER_AUTHENTICATION")


async def test_nothing_that_is_kept_holds_a_code(world: World, ada: Member) -> None:
    await ada.begin_email()
    code = await ada.mailed("enrollment_code")
    await ada.confirm_email(code)
    async with world.engine.connect() as connection:
        for table in KEEPING:
            query = text(f"select 1 from {table} t where to_jsonb(t)::text ~ :code")  # noqa: S608
            found = await connection.scalar(query, {"code": rf"[^0-9a-f]{code}[^0-9a-f]"})
            assert found is None, table
