"""Promises about limits that are only tried: counted and reported, never refusing."""

from __future__ import annotations

import json
from pathlib import Path

from edge.settings import RateLimitSettings
from portico_kit.edge_state.limits import LimitsDocument
from portico_kit.testing.clocks import FakeClock
from tests.ratelimit.conftest import PATIENT
from tests.ratelimit.harness import (
    Gateway,
    Organizations,
    RateLimitResult,
    running_limiter,
    somebody,
)
from tests.support.addresses import new_address


def shadows(answers: list[RateLimitResult]) -> list[str | None]:
    """Which windows would have refused, as the answers tell it."""
    return [answer.headers.get("x-ratelimit-shadow") for answer in answers]


async def test_an_organization_in_shadow_is_counted_and_told_and_never_refused(
    gateway: Gateway, organizations: Organizations
) -> None:
    name = await organizations.set(LimitsDocument(shadow=True))
    caller = somebody()
    answers = [await gateway.ask(subject=caller, organization=name) for _ in range(12)]
    assert all(answer.admitted for answer in answers)
    assert shadows(answers) == [None] * 10 + ['"burst"'] * 2


async def test_one_window_in_shadow_leaves_the_others_in_force(
    gateway: Gateway, organizations: Organizations
) -> None:
    name = await organizations.set(LimitsDocument(shadow_rules=["read.burst"]))
    caller = somebody()
    answers = [await gateway.ask(subject=caller, organization=name) for _ in range(31)]
    assert [answer.admitted for answer in answers] == [True] * 30 + [False]
    assert shadows(answers) == [None] * 10 + ['"burst"'] * 21
    assert "burst" not in answers[0].left  # what refuses nobody is nothing to mind
    assert answers[0].left["minute"] == 29


async def test_a_category_in_shadow_leaves_the_others_in_force(
    gateway: Gateway, organizations: Organizations
) -> None:
    name = await organizations.set(LimitsDocument(shadow_rules=["write"]))
    caller = somebody()
    for category, admitted in (("write", 40), ("read", 10)):
        answers = [
            await gateway.ask(subject=caller, organization=name, category=category)
            for _ in range(40)
        ]
        assert sum(answer.admitted for answer in answers) == admitted


async def test_a_pool_in_shadow_refuses_none_of_its_callers(
    gateway: Gateway, organizations: Organizations
) -> None:
    limits = LimitsDocument(overrides={"pool": {"hour": 2}}, shadow_rules=["pool.hour"])
    name = await organizations.set(limits)
    answers = [await gateway.ask(subject=somebody(), organization=name) for _ in range(3)]
    assert all(answer.admitted for answer in answers)
    assert shadows(answers)[-1] == '"organization-hour"'


async def test_what_a_shadow_would_have_refused_is_counted(
    gateway: Gateway, organizations: Organizations, clock: FakeClock
) -> None:
    name = await organizations.set(LimitsDocument(shadow_rules=["read.minute"]))
    caller = somebody()
    for _ in range(4):
        answers = [await gateway.ask(subject=caller, organization=name) for _ in range(10)]
        clock.advance(seconds=10)
    assert shadows(answers) == ['"minute"'] * 10
    assert answers[-1].left["hour"] == 460


def trial(valkey_url: str, folder: Path, names: str) -> RateLimitSettings:
    """The settings of a service of which some rules are only tried."""
    return RateLimitSettings(
        redis_url=valkey_url,
        runtime_dir=folder,
        ratelimit_timeout=PATIENT,
        ratelimit_shadow=names,
    )


async def test_an_operator_can_try_rules_of_the_table(
    valkey_url: str, short_folder: Path, clock: FakeClock
) -> None:
    settings = trial(valkey_url, short_folder / "trial", "login, free.read.burst, basic.minute")
    async with running_limiter(settings, clock) as gateway:
        address, free, basic = new_address(), somebody(), somebody()
        logins = [await gateway.ask(address=address, category="login") for _ in range(22)]
        assert all(answer.admitted for answer in logins)
        assert shadows(logins)[5:] == ['"minute"'] * 15 + ['"minute", "hour"'] * 2
        assert await gateway.admitted(40, subject=free) == 30
        assert not (await gateway.ask(subject=free, category="write", cost=6)).admitted
        answers = [await gateway.ask(subject=basic, tier="basic") for _ in range(21)]
        assert sum(answer.admitted for answer in answers) == 20
        assert "minute" not in answers[0].quotas


async def test_what_an_organization_has_in_place_of_a_rule_is_not_tried_with_it(
    valkey_url: str, short_folder: Path, clock: FakeClock, organizations: Organizations
) -> None:
    own = LimitsDocument(overrides={"read": {"minute": 3}})
    name = await organizations.set(own)
    settings = trial(valkey_url, short_folder / "trial", "free")
    async with running_limiter(settings, clock) as gateway:
        caller = somebody()
        answers = [await gateway.ask(subject=caller, organization=name) for _ in range(2)]
        assert [answer.admitted for answer in answers] == [True, False]
        writes = [
            await gateway.ask(subject=caller, organization=name, category="write")
            for _ in range(20)
        ]
        assert all(answer.admitted for answer in writes)


def test_limits_that_a_newer_core_has_written_are_read() -> None:
    written = {**json.loads(LimitsDocument(multiplier_percent=300).json), "of_tomorrow": 1}
    assert LimitsDocument.from_json(json.dumps(written)).multiplier_percent == 300


def test_limits_without_rules_in_shadow_read_as_before() -> None:
    assert "shadow_rules" not in json.loads(LimitsDocument().json)
