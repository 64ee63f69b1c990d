"""Promises about who is counted together, and about limits of their own."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from redis.asyncio import Redis

from portico_kit.testing.clocks import NOON, FakeClock
from tests.ratelimit.harness import Gateway, descriptor, somebody
from tests.support.addresses import new_address


@pytest.mark.parametrize(("category", "minute", "hour"), [("login", 5, 20), ("register", 3, 10)])
async def test_sign_in_and_registration_are_limited_by_address(
    gateway: Gateway, clock: FakeClock, category: str, minute: int, hour: int
) -> None:
    address, admitted = new_address(), []
    for _ in range(8):  # two minutes apart, so that the minute forgets
        answers = [await gateway.ask(address=address, category=category) for _ in range(6)]
        admitted.append(sum(answer.admitted for answer in answers))
        clock.advance(seconds=120)
    assert admitted[0] == minute
    assert sum(admitted) == hour


async def test_a_signed_in_caller_cannot_guess_passwords_faster(gateway: Gateway) -> None:
    address = new_address()
    answers = [
        await gateway.ask(subject=somebody(), address=address, category="login") for _ in range(6)
    ]
    assert [answer.admitted for answer in answers] == [True] * 5 + [False]


async def test_a_reset_is_mailed_to_one_person_three_times_an_hour(
    gateway: Gateway, clock: FakeClock
) -> None:
    for _ in range(3):
        assert (await gateway.ask(email="5d41402a", category="password_reset")).admitted
        clock.advance(seconds=600)
    assert not (await gateway.ask(email="5d41402a", category="password_reset")).admitted
    assert (await gateway.ask(email="another0", category="password_reset")).admitted


async def test_resets_from_one_address_are_limited_as_writes(gateway: Gateway) -> None:
    answer = await gateway.ask(address="198.51.100.9", category="password_reset")
    assert answer.quotas == {"burst": 5, "minute": 15, "hour": 250}


async def test_callers_without_a_credential_are_on_the_free_tier_by_address(
    gateway: Gateway,
) -> None:
    address = new_address()
    answers = [await gateway.ask(address=address, category="read") for _ in range(11)]
    assert answers[0].quotas == {"burst": 10, "minute": 30, "hour": 500}
    assert sum(answer.admitted for answer in answers) == 10
    assert (await gateway.ask(address=new_address(), category="read")).admitted


async def test_a_verified_caller_is_not_counted_by_address(gateway: Gateway) -> None:
    address = new_address()
    for _ in range(10):
        await gateway.ask(address=address, category="read")
    answer = await gateway.ask(subject=somebody(), address=address)
    assert answer.left["burst"] == 9


async def test_an_ipv6_client_is_its_network_of_64_bits(gateway: Gateway) -> None:
    for last in range(10):
        await gateway.ask(address=f"2001:db8:0:1::{last:x}", category="read")
    same = await gateway.ask(address="2001:db8:0:1:ffff:ffff:ffff:ffff", category="read")
    other = await gateway.ask(address="2001:db8:0:2::1", category="read")
    assert (same.admitted, other.admitted) == (False, True)


async def test_an_ipv4_client_is_the_same_in_both_notations(gateway: Gateway) -> None:
    address = new_address()
    for _ in range(10):
        await gateway.ask(address=address, category="read")
    assert not (await gateway.ask(address=f"::ffff:{address}", category="read")).admitted


async def test_a_keys_own_limits_come_on_top_of_the_tiers(gateway: Gateway) -> None:
    key = somebody()
    answers = [await gateway.ask(subject=key, limits="minute=4,hour=1000") for _ in range(5)]
    assert [answer.admitted for answer in answers] == [True] * 4 + [False]
    assert answers[0].left == {
        "burst": 9,
        "minute": 29,
        "hour": 499,
        "key-minute": 3,
        "key-hour": 999,
    }


async def test_a_keys_own_limits_are_shared_by_all_categories(gateway: Gateway) -> None:
    key = somebody()
    for category in ("read", "write", "delete"):
        assert (await gateway.ask(subject=key, category=category, limits="hour=3")).admitted
    assert not (await gateway.ask(subject=key, category="read", limits="hour=3")).admitted


async def test_a_large_own_limit_does_not_lift_the_tiers(gateway: Gateway) -> None:
    key = somebody()
    answers = [await gateway.ask(subject=key, limits="minute=100000") for _ in range(11)]
    assert not answers[-1].admitted


async def test_a_daily_limit_starts_anew_at_midnight_utc(
    gateway: Gateway, clock: FakeClock
) -> None:
    key = somebody()
    assert (await gateway.ask(subject=key, limits="day=1")).admitted
    clock.now = clock.now.replace(hour=23, minute=59, second=59)
    assert not (await gateway.ask(subject=key, limits="day=1")).admitted
    clock.advance(seconds=1)
    assert (await gateway.ask(subject=key, limits="day=1")).admitted


@pytest.mark.parametrize(
    ("year", "month", "last_day"), [(2026, 7, 31), (2027, 2, 28), (2028, 2, 29), (2026, 12, 31)]
)
async def test_a_monthly_limit_starts_anew_with_the_month(
    gateway: Gateway, clock: FakeClock, year: int, month: int, last_day: int
) -> None:
    key = somebody()
    clock.now = clock.now.replace(year=year, month=month, day=1, hour=0)
    assert (await gateway.ask(subject=key, limits="month=1")).admitted
    clock.now = clock.now.replace(day=last_day, hour=23, minute=59, second=59)
    assert not (await gateway.ask(subject=key, limits="month=1")).admitted
    clock.advance(seconds=1)
    assert (await gateway.ask(subject=key, limits="month=1")).admitted


async def test_an_unknown_tier_is_the_lowest(gateway: Gateway) -> None:
    assert (await gateway.ask(subject=somebody(), tier="platinum")).quotas["minute"] == 30


async def test_an_unknown_category_has_the_smallest_share(gateway: Gateway) -> None:
    answer = await gateway.ask(subject=somebody(), tier="pro", category="teleport")
    assert answer.quotas["minute"] == 30


@pytest.mark.parametrize(
    "entries",
    [
        {"category": "read"},
        {"category": "read", "address": "not an address"},
        {"category": "read", "address": ""},
        {"category": "read", "subject": "", "tier": "enterprise"},
    ],
)
async def test_callers_that_cannot_be_told_apart_share_one_small_budget(
    gateway: Gateway, valkey: Redis, entries: dict[str, str]
) -> None:
    await gateway.ask(category="read", cost=10)
    answer = await gateway.send([descriptor(entries)])
    assert not answer.admitted
    assert answer.quotas["minute"] == 30


@pytest.mark.parametrize("limits", ["minute", "minute=", "minute=-1", "minute=0", "year=3", "=,="])
async def test_own_limits_that_cannot_be_read_change_nothing(gateway: Gateway, limits: str) -> None:
    answer = await gateway.ask(subject=somebody(), limits=limits)
    assert answer.quotas == {"burst": 10, "minute": 30, "hour": 500}


async def test_a_keys_counts_are_kept_when_other_windows_are_set(gateway: Gateway) -> None:
    key = somebody()
    await gateway.ask(subject=key, limits="day=9,hour=9")
    await gateway.ask(subject=key, limits="hour=9")
    answer = await gateway.ask(subject=key, limits="minute=9,hour=9,day=9")
    told = {name: n for name, n in answer.left.items() if name.startswith("key-")}
    # A minute that is new knows the charges of the last minute all the same: their times are kept.
    assert told == {"key-minute": 6, "key-hour": 6, "key-day": 7}


async def test_two_descriptors_with_other_limits_of_one_key_share_what_they_have_in_common(
    gateway: Gateway,
) -> None:
    entries = {"subject": somebody(), "tier": "free", "category": "read"}
    both = [descriptor({**entries, "limits": own}) for own in ("hour=9", "day=9,hour=9")]
    answer = await gateway.send(both)
    told = answer.headers["ratelimit"].split(", ")
    left = [one.split(";")[:2] for one in told if one.startswith('"key-')]
    assert left == [['"key-hour"', "r=7"], ['"key-day"', "r=8"], ['"key-hour"', "r=7"]]


async def test_a_mail_is_charged_to_all_who_answer_for_it_or_to_none(gateway: Gateway) -> None:
    def charged(recipient: str) -> list[RateLimitDescriptor]:
        return [
            descriptor({"category": "mail_recipient", "email": recipient}),
            descriptor({"category": "mail_sender", "subject": "user:ada"}),
            descriptor({"category": "mail_organization", "organization": "acme", "tier": "free"}),
        ]

    to_one = [(await gateway.send(charged("one"))).admitted for _ in range(10)]
    assert to_one == [True] * 3 + [False] * 7
    to_many = [(await gateway.send(charged(f"{number}"))).admitted for number in range(20)]
    assert to_many == [True] * 17 + [False] * 3


async def test_one_address_gets_five_codes_by_mail_an_hour(gateway: Gateway) -> None:
    asked = [await gateway.ask(category="mail_code", email="somebody") for _ in range(8)]
    assert [answer.admitted for answer in asked] == [True] * 5 + [False] * 3


@pytest.mark.parametrize(
    ("tier", "hour"), [("free", 20), ("basic", 50), ("pro", 100), ("enterprise", 500)]
)
async def test_the_mails_of_an_organization_are_limited_by_its_tier(
    gateway: Gateway, tier: str, hour: int
) -> None:
    charged = descriptor(
        {"category": "mail_organization", "organization": somebody(), "tier": tier}
    )
    assert (await gateway.send([charged], cost=hour)).admitted
    assert not (await gateway.send([charged])).admitted


async def test_one_address_gets_ten_mails_of_a_kind_a_day(
    gateway: Gateway, clock: FakeClock
) -> None:
    clock.now = NOON.replace(hour=0)
    admitted = 0
    for _ in range(8):
        for _ in range(4):
            answer = await gateway.ask(category="mail_recipient", email="daily")
            admitted += answer.admitted
        clock.advance(seconds=2.5 * 3600)
    assert admitted == 10


async def test_an_application_has_a_budget_for_each_person_beside_the_persons_own(
    gateway: Gateway,
) -> None:
    person, other = somebody(), somebody()
    calls: dict[str, Any] = {
        "subject": person,
        "organization": somebody(),
        "application": "app-one",
    }
    answers = [await gateway.ask(**calls) for _ in range(11)]
    assert answers[0].quotas == {
        "burst": 10,
        "minute": 30,
        "hour": 500,
        "application-minute": 150,
        "organization-minute": 300,
    }
    assert sum(answer.admitted for answer in answers) == 10
    # The person, the same application for somebody else, and another application go on.
    del calls["application"]
    assert (await gateway.ask(**calls)).left["burst"] == 9
    assert (await gateway.ask(**{**calls, "subject": other, "application": "app-one"})).admitted
    assert (await gateway.ask(**{**calls, "application": "app-two"})).admitted


async def test_an_application_leaves_an_organization_to_others(gateway: Gateway) -> None:
    """Whatever it does for however many people of it."""
    organization = somebody()
    calls: dict[str, Any] = {"organization": organization, "application": somebody()}
    answers = [await gateway.ask(subject=somebody(), **calls) for _ in range(151)]
    assert sum(answer.admitted for answer in answers) == 150
    assert answers[-1].left["application-minute"] == 0
    person = await gateway.ask(subject=somebody(), organization=organization)
    assert person.admitted
    assert person.left["organization-minute"] == 149
    # The same application in another organization.
    assert (await gateway.ask(subject=somebody(), **{**calls, "organization": somebody()})).admitted


async def test_an_application_that_acts_for_itself_is_one_caller(gateway: Gateway) -> None:
    application = somebody()
    answer = await gateway.ask(
        subject=application, application=application, organization=somebody(), tier="pro"
    )
    assert answer.quotas == {"burst": 40, "minute": 120, "hour": 5000, "organization-minute": 1200}


async def test_an_application_without_an_organization_has_a_ceiling_too(gateway: Gateway) -> None:
    application = somebody()
    answers = [await gateway.ask(subject=somebody(), application=application) for _ in range(151)]
    assert sum(answer.admitted for answer in answers) == 150
