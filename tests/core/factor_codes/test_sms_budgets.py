"""Who can cause how many text messages, and when they are stopped (SMS pumping)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.common.records import AuditEntry
from tests.core.calls import race
from tests.core.conftest import Refused
from tests.core.conftest import running as running_core
from tests.core.factor_codes.conftest import (
    MINUTE,
    Member,
    Members,
    example,
    new_address,
    new_number,
)
from tests.core.world import World

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
FAILED = grpc.StatusCode.FAILED_PRECONDITION
DAY = timedelta(days=1)
# Long enough for a code that nobody types in.
GRACE = timedelta(minutes=2, seconds=1)


async def test_a_number_gets_one_a_minute_and_five_an_hour(ada: Member, refused: Refused) -> None:
    number = new_number()
    for _ in range(4):
        await ada.begin_sms(number)
        soon = await refused(ada.begin_sms(number), EXHAUSTED, "RATE_LIMIT_EXCEEDED")
        assert soon.retry_after is not None
        assert 55 < soon.retry_after <= 60
        ada.world.clock.advance(MINUTE)
    await ada.begin_sms(number)
    ada.world.clock.advance(MINUTE)
    await ada.step_up()
    later = await refused(ada.begin_sms(number), EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    assert later.retry_after is not None
    assert 3200 < later.retry_after <= 3600
    assert len(await ada.world.texts(number)) == 5
    ada.world.clock.advance(timedelta(seconds=later.retry_after + 1))
    await ada.renew()
    await ada.begin_sms(number)


async def test_of_many_at_once_one_is_sent(ada: Member) -> None:
    number = new_number()
    answers, reasons = await race(*(ada.begin_sms(number) for _ in range(250)))
    assert len(answers) == 1
    assert set(reasons) <= {"RATE_LIMIT_EXCEEDED", "UNAVAILABLE"}
    assert len(await ada.world.texts(number)) == 1


async def test_an_address_can_try_three_new_numbers_a_day(
    members: Members, refused: Refused
) -> None:
    address = new_address()
    for _ in range(3):
        await (await members.new(address)).begin_sms(new_number())
    fourth = await members.new(address)
    stopped = await refused(fourth.begin_sms(new_number()), EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    assert stopped.retry_after is not None
    assert stopped.retry_after > 86_000
    # Somewhere else it is another matter.
    await (await members.new(person=fourth.person)).begin_sms(new_number())


async def test_whoever_has_one_address_of_ipv6_has_its_whole_network(
    members: Members, refused: Refused
) -> None:
    for host in range(3):
        await (await members.new(f"2001:db8:7:7::{host}")).begin_sms(new_number())
    fourth = await members.new("2001:db8:7:7:8:8:8:8")
    await refused(fourth.begin_sms(new_number()), EXHAUSTED, "RATE_LIMIT_EXCEEDED")


async def test_an_account_can_try_three_new_numbers_a_day_wherever_it_is(
    ada: Member, members: Members, refused: Refused
) -> None:
    for _ in range(3):
        await (await members.new(person=ada.person)).begin_sms(new_number())
    there = await members.new(person=ada.person)
    await refused(there.begin_sms(new_number()), EXHAUSTED, "RATE_LIMIT_EXCEEDED")


async def test_people_of_one_office_sign_in_though_they_have_more_than_three_numbers(
    members: Members,
) -> None:
    office, people = new_address(), []
    for _ in range(5):
        member, number = await members.new(), new_number()
        await member.enroll_sms(number)
        people.append((await members.new(office, member.person), number))
    members.world.clock.advance(MINUTE)
    for member, number in people:
        begun = await member.login()
        await member.send(begun.challenge, "sms")
        await member.complete(begun, await member.texted(number), "sms")


async def test_an_address_that_has_codes_sent_to_six_countries_is_stopped(
    members: Members, refused: Refused
) -> None:
    """Each has enrolled elsewhere; an address alone could not try so many new numbers."""
    place, people = new_address(), []
    for country in ("AT", "BE", "CH", "ES", "FR", "IT"):
        member = await members.new()
        await member.enroll_sms(example(country))
        people.append(await members.new(place, member.person))
    members.world.clock.advance(MINUTE)
    for member in people[:5]:
        await member.send((await member.login()).challenge, "sms")
    sixth = (await people[5].login()).challenge
    await refused(people[5].send(sixth, "sms"), EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    members.world.clock.advance(MINUTE)
    first = (await people[0].login()).challenge
    stopped = await refused(people[0].send(first, "sms"), EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    assert stopped.retry_after is not None
    assert stopped.retry_after > 80_000


async def pump(members: Members, country: str, first: int, count: int, verified: int) -> None:
    """Has codes sent to so many numbers, of which somebody types in a part."""
    prefix = {"PL": "+4851200", "SE": "+4670120", "NL": "+3161200"}[country]
    width = {"PL": 4, "SE": 4, "NL": 4}[country]
    member = await members.new()
    for place in range(count):
        if place % 3 == 0:
            member = await members.new()
        number = f"{prefix}{first + place:0{width}}"
        there = await members.new(person=member.person)
        await there.begin_sms(number)
        if place < verified:
            await there.confirm_sms(await there.texted(number))


def stopped_count(country: str) -> float:
    return REGISTRY.get_sample_value("portico_sms_stopped_total", {"country": country}) or 0.0


async def test_a_country_is_stopped_if_fewer_than_ten_of_fifty_codes_are_typed_in(
    members: Members, world: World, refused: Refused
) -> None:
    assert stopped_count("PL") == 0
    await pump(members, "PL", 1000, 50, verified=9)
    world.clock.advance(GRACE)
    victims = [await members.new() for _ in range(5)]
    results = await asyncio.gather(
        *(
            refused(victim.begin_sms(f"+48512009{place:03}"), FAILED, "SMS_STOPPED")
            for place, victim in enumerate(victims)
        )
    )
    assert results[0].metadata == {"country": "PL"}
    # The operator hears of it once, by the alert and in the audit log.
    assert stopped_count("PL") == 1
    query = select(AuditEntry.details).where(AuditEntry.action == "sms.country_stopped")
    async with AsyncSession(world.engine) as db:
        assert list(await db.scalars(query)) == [{"country": "PL"}]
    # Another country is none of it, and after a day it begins again.
    await victims[0].begin_sms(new_number())
    world.clock.advance(DAY)
    await (await members.new()).begin_sms("+48512009999")


async def test_a_country_where_people_type_codes_in_goes_on(members: Members, world: World) -> None:
    await pump(members, "SE", 1000, 50, verified=10)
    world.clock.advance(GRACE)
    await (await members.new()).begin_sms("+46701209999")
    assert stopped_count("SE") == 0


async def test_codes_that_were_sent_just_now_are_held_against_nobody(
    members: Members, world: World
) -> None:
    """A good hour begins with many codes that nobody has had the time to type in."""
    await pump(members, "NL", 1000, 51, verified=0)
    await (await members.new()).begin_sms("+31612009999")
    assert stopped_count("NL") == 0


@pytest.fixture
async def far_valkey(database_url: str, valkey_url: str) -> AsyncIterator[tuple[World, Redis]]:
    """A core whose Valkey can be made to hang."""
    async with (
        running_core("pygrpc-native", database_url, valkey_url) as world,
        Redis.from_url(valkey_url) as valkey,
    ):
        yield world, valkey


async def test_without_valkey_nothing_is_sent(
    far_valkey: tuple[World, Redis], refused: Refused
) -> None:
    world, valkey = far_valkey
    person = await world.new_person()
    ada = Member(world, world.channel, person, "192.0.2.1")
    number = new_number()
    await valkey.client_pause(3500)
    await refused(ada.begin_sms(number), grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert await world.texts(number) == []
