"""Codes by SMS: enrolled with a number that may be sent to, asked for at a sign-in, good once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import phonenumbers
import pytest
from portico.factors.v1 import factor_service_pb2 as factors
from portico.factors.v1.factor_pb2 import Factor
from sqlalchemy import text

from server.common.phone_numbers import phone_number
from tests.core.auth.conftest import claims
from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.conftest import running as running_core
from tests.core.factor_codes.conftest import (
    MINUTE,
    Member,
    Members,
    example,
    new_number,
    wrong,
)
from tests.core.world import World

INVALID = grpc.StatusCode.INVALID_ARGUMENT
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
FAILED = grpc.StatusCode.FAILED_PRECONDITION
EXISTS = grpc.StatusCode.ALREADY_EXISTS
Kind = phonenumbers.PhoneNumberType


async def listed(member: Member) -> list[Factor]:
    """The factors of somebody."""
    answer = await member.world.factors.ListFactors(
        factors.ListFactorsRequest(), metadata=member.person.metadata
    )
    return list(answer.factors)


async def test_a_code_to_the_number_enrolls_it(ada: Member, audited: Audited) -> None:
    number = new_number()
    begun = await ada.begin_sms(number)
    assert (begun.sent_to, begun.expires_in) == (f"+49 *** {number[-2:]}", 600)
    done = await ada.confirm_sms(await ada.texted(number))
    assert (done.factor.type, done.factor.name) == ("sms", f"+49 *** {number[-2:]}")
    assert len(done.recovery_codes) == 10
    assert await audited(done.factor.id) == ["factor.added"]


async def test_the_text_is_bound_to_our_address(ada: Member) -> None:
    number = new_number()
    await ada.begin_sms(number)
    (said,) = await ada.world.texts(number)
    code = await ada.texted(number)
    assert said == (
        f"{code} is your code for Portico. It is good for 10 minutes.\n\n@127.0.0.1 #{code}"
    )


async def test_a_sign_in_takes_the_code_that_was_sent_for_it(ada: Member) -> None:
    number = new_number()
    await ada.enroll_sms(number)
    begun = await ada.login()
    assert list(begun.methods) == ["recovery_code", "sms"]
    ada.world.clock.advance(MINUTE)
    await ada.send(begun.challenge, "sms")
    done = await ada.complete(begun, await ada.texted(number), "sms")
    said = claims(done.access_token)
    assert (said["acr"], said["amr"]) == ("urn:portico:aal2", ["mfa", "pwd", "sms"])


async def test_a_person_has_one_number_and_another_takes_its_place(
    ada: Member, audited: Audited
) -> None:
    first, second = new_number(), new_number()
    before = await ada.enroll_sms(first)
    after = await ada.enroll_sms(second)
    assert [each.id for each in await listed(ada)] == [after.factor.id]
    assert await audited(before.factor.id) == ["factor.added", "factor.removed"]
    # The codes of before stay.
    assert list(after.recovery_codes) == []
    begun = await ada.login()
    ada.world.clock.advance(MINUTE)
    await ada.send(begun.challenge, "sms")
    assert len(await ada.world.texts(first)) == 1
    await ada.complete(begun, await ada.texted(second), "sms")


async def test_the_same_number_again_is_no_other_factor(ada: Member, refused: Refused) -> None:
    number = new_number()
    await ada.enroll_sms(number)
    await refused(ada.begin_sms(f"{number[:3]} {number[3:]}"), EXISTS, "FACTOR_EXISTS")


async def test_a_code_for_one_number_enrolls_no_other(ada: Member, refused: Refused) -> None:
    mine, theirs = new_number(), new_number()
    await ada.begin_sms(mine)
    code = await ada.texted(mine)
    await ada.begin_sms(theirs)
    if code != await ada.texted(theirs):
        await refused(ada.confirm_sms(code), INVALID, "CODE_INVALID")
    assert await listed(ada) == []


async def test_two_people_can_have_one_number_and_share_what_it_gets(
    ada: Member, members: Members, refused: Refused
) -> None:
    grace, number = await members.new(), new_number()
    await ada.enroll_sms(number)
    await refused(grace.begin_sms(number), EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    ada.world.clock.advance(MINUTE)
    await grace.enroll_sms(number)
    begun, of_grace = await ada.login(), await grace.login()
    ada.world.clock.advance(MINUTE)
    await ada.send(begun.challenge, "sms")
    await refused(grace.send(of_grace.challenge, "sms"), EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    code = await ada.texted(number)
    await refused(grace.complete(of_grace, code, "sms"), INVALID, "CODE_INVALID")
    await ada.complete(begun, code, "sms")


async def test_codes_of_enrollments_other_challenges_and_mails_are_of_no_use(
    ada: Member, refused: Refused
) -> None:
    number = new_number()
    await ada.begin_sms(number)
    enrolling = await ada.texted(number)
    await ada.confirm_sms(enrolling)
    await ada.enroll_email()
    first, second = await ada.login(), await ada.login()
    ada.world.clock.advance(MINUTE)
    await ada.send(first.challenge, "sms")
    await ada.send(first.challenge, "email")
    texted, mailed = await ada.texted(number), await ada.mailed()
    for begun, code, method in (
        (first, enrolling, "sms"),
        (first, mailed, "sms"),
        (first, texted, "email"),
        (second, texted, "sms"),
    ):
        await refused(ada.complete(begun, code, method), INVALID, "CODE_INVALID")
    await ada.complete(first, texted, "sms")


async def test_five_wrong_tries_end_a_code(ada: Member, refused: Refused) -> None:
    number = new_number()
    await ada.begin_sms(number)
    code = await ada.texted(number)
    for _ in range(5):
        await refused(ada.confirm_sms(wrong(code)), INVALID, "CODE_INVALID")
    await refused(ada.confirm_sms(code), FAILED, "ENROLLMENT_EXPIRED")


async def test_of_twenty_confirmations_at_once_one_enrolls(ada: Member) -> None:
    number = new_number()
    await ada.begin_sms(number)
    code = await ada.texted(number)
    answers, reasons = await race(*(ada.confirm_sms(code) for _ in range(20)))
    assert len(answers) == 1
    assert set(reasons) <= {"CODE_INVALID", "ENROLLMENT_EXPIRED"}
    assert len(await listed(ada)) == 1


@pytest.mark.parametrize(
    "written",
    [
        "+49 1512 {tail}",
        "+49 (0)1512 {tail}",
        "+49-1512/{tail}",
        # As address books copy it.
        "\u202a+49\u00a01512 {tail}\u202c",
        "+49\u200b1512\u2011{tail}",
    ],
)
async def test_a_number_is_one_however_it_is_written(ada: Member, written: str) -> None:
    number = new_number()
    begun = await ada.begin_sms(written.format(tail=number[7:]))
    assert begun.sent_to == f"+49 *** {number[-2:]}"
    assert len(await ada.world.texts(number)) == 1


@pytest.mark.parametrize(
    "written",
    [
        "01512 3456789",  # national
        "0049 1512 3456789",
        "491512345678901",
        "+49 1512 345678a",
        "+1 800 FLOWERS",
        "+\uff14\uff19 1512 3456789",
        "+49 1512 \u0661\u0662\u0663\u0664\u0665\u0666\u0667",
        "+49 1512 3456789;ext=5",
        "+49 1512 3456789 x5",
        "+49 1512 3456789,+49 1512 3456788",
        "++49 1512 3456789",
        "+0 1512 3456789",
        "+49 1512 34567890123",
        "+49 1512",
        "+999 1512 3456789",
        "+49 1512\n3456789\r\nTo: +1",
        "tel:+4915123456789",
    ],
)
async def test_what_is_no_number_in_international_form_is_refused(
    ada: Member, refused: Refused, written: str
) -> None:
    found = await refused(ada.begin_sms(written), INVALID, "VALIDATION_ERROR")
    assert found.fields == ("phone_number",)


@pytest.mark.parametrize(
    ("country", "kind"),
    [
        ("DE", Kind.PREMIUM_RATE),
        ("DE", Kind.SHARED_COST),
        ("DE", Kind.TOLL_FREE),
        ("DE", Kind.FIXED_LINE),
        ("DE", Kind.PAGER),
        ("DE", Kind.UAN),
        ("DE", Kind.PERSONAL_NUMBER),
        ("DE", Kind.VOICEMAIL),
        ("FR", Kind.VOIP),
        ("US", Kind.PREMIUM_RATE),
        ("GB", Kind.PERSONAL_NUMBER),
        ("GB", Kind.PAGER),
    ],
)
async def test_numbers_that_are_no_mobile_phones_get_nothing(
    ada: Member, refused: Refused, country: str, kind: int
) -> None:
    await refused(ada.begin_sms(example(country, kind)), INVALID, "PHONE_NUMBER_NOT_MOBILE")


@pytest.mark.parametrize("number", ["+18765551234", "+14165551234", "+881612345678"])
async def test_only_countries_that_are_allowed_get_anything_whatever_code_they_share(
    ada: Member, refused: Refused, number: str
) -> None:
    """Jamaica and Canada share +1 with the United States; a satellite phone has no country."""
    found = await refused(ada.begin_sms(number), FAILED, "SMS_COUNTRY_NOT_ALLOWED")
    assert found.metadata == {"country": phone_number(number).country}


@pytest.mark.parametrize(
    "given",
    [{"sms_provider": "none"}, {"sms_countries": ()}],
    ids=["no-provider", "no-countries"],
)
async def test_text_messages_are_off_by_default(
    database_url: str, valkey_url: str, refused: Refused, given: dict[str, Any]
) -> None:
    async with running_core("pygrpc-native", database_url, valkey_url, **given) as world:
        person = await world.new_person()
        ada = Member(world, world.channel, person, "192.0.2.1")
        await refused(ada.begin_sms(new_number()), FAILED, "SMS_NOT_AVAILABLE")


async def test_a_number_whose_country_is_no_longer_allowed_gets_nothing(
    database_url: str, valkey_url: str, members: Members, ada: Member, refused: Refused
) -> None:
    number = new_number()
    await ada.enroll_sms(number)
    begun = await ada.login()
    async with running_core(
        "pygrpc-native", database_url, valkey_url, sms_countries=("AT",)
    ) as world:
        there = Member(world, world.channel, ada.person, ada.address)
        await refused(there.send(begun.challenge, "sms"), FAILED, "SMS_COUNTRY_NOT_ALLOWED")


async def test_a_number_is_sealed_wherever_it_is_kept(world: World, ada: Member) -> None:
    number = new_number()
    done = await ada.enroll_sms(number)
    assert number[5:] not in str(done)
    async with world.engine.connect() as connection:
        for table in ("factors", "sms_factors", "factor_codes", "text_messages", "audit_log"):
            query = text(f"select 1 from {table} t where to_jsonb(t)::text like :it")  # noqa: S608
            assert await connection.scalar(query, {"it": f"%{number[3:]}%"}) is None, table


async def test_a_text_message_that_was_delayed_is_of_no_use_after_its_code(
    world: World, ada: Member
) -> None:
    number = new_number()
    await ada.begin_sms(number)
    async with world.engine.connect() as connection:
        query = text("select expires_at - created_at from text_messages order by id desc limit 1")
        lasts = (await connection.execute(query)).scalar_one()
    assert timedelta(minutes=9) < lasts < timedelta(minutes=11)


@pytest.mark.parametrize("name", ["\u202eenohp", "x\u200by", " phone", "phone\nnumber", "p" * 51])
async def test_a_name_is_one_that_can_be_seen(ada: Member, refused: Refused, name: str) -> None:
    await refused(ada.confirm_sms("123456", name), INVALID, "VALIDATION_ERROR")
