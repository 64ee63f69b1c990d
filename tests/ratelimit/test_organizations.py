"""Promises about limits of organizations, of other Envoys, and about refusals."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitResponse
from envoy.type.v3.ratelimit_unit_pb2 import RateLimitUnit
from redis.asyncio import Redis

from edge.settings import RateLimitSettings
from portico_kit.edge_state.limits import LimitsDocument
from portico_kit.testing.clocks import FakeClock
from tests.ratelimit.harness import Gateway, Organizations, descriptor, running_limiter, somebody

# In the protocol since Envoy 1.33, and not in these classes yet.
WEEK = 7


def with_limit(unit: str, limit: int, **entries: str) -> RateLimitDescriptor:
    """A descriptor that brings its limit along."""
    made = descriptor(entries)
    made.limit.unit = WEEK if unit == "WEEK" else RateLimitUnit.Value(unit)
    made.limit.requests_per_unit = limit
    return made


async def test_a_multiplier_and_overrides_take_the_place_of_the_tiers(
    gateway: Gateway, organizations: Organizations
) -> None:
    name = await organizations.set(
        LimitsDocument(multiplier_percent=150, overrides={"read": {"hour": 70, "day": 90}})
    )
    quotas = (await gateway.ask(subject=somebody(), organization=name)).quotas
    assert {key: quotas[key] for key in ("burst", "minute", "hour", "day")} == {
        "burst": 15,
        "minute": 45,
        "hour": 70,
        "day": 90,
    }
    writes = (await gateway.ask(subject=somebody(), organization=name, category="write")).quotas
    assert (writes["minute"], writes["hour"]) == (22, 375)


async def test_all_callers_of_an_organization_share_its_pool(
    gateway: Gateway, organizations: Organizations
) -> None:
    name = await organizations.set(LimitsDocument())
    first = await gateway.ask(subject=somebody(), organization=name)
    second = await gateway.ask(subject=somebody(), organization=name, category="write")
    key = "organization-minute"
    assert second.left[key] == first.left[key] - 1
    assert (second.left["minute"], first.left["minute"]) == (14, 29)


async def test_without_limits_of_its_own_an_organization_has_ten_times_its_tier(
    gateway: Gateway,
) -> None:
    answer = await gateway.ask(subject=somebody(), organization=somebody(), tier="basic")
    assert answer.quotas["organization-minute"] == 600


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [("SECOND", 2), ("MINUTE", 120), ("HOUR", 7200), ("DAY", 86400), ("MONTH", 31 * 86400)],
)
async def test_an_envoy_of_anyone_can_bring_its_limits_along(
    gateway: Gateway, clock: FakeClock, unit: str, seconds: int
) -> None:
    asked = [with_limit(unit, 2, remote_address="192.0.2.1", path=somebody())]
    answers = [await gateway.send(asked, domain="another") for _ in range(3)]
    assert [answer.admitted for answer in answers] == [True, True, False]
    limit = answers[0].status.current_limit
    assert (limit.requests_per_unit, limit.unit) == (
        2,
        RateLimitResponse.RateLimit.Unit.Value(unit),
    )
    assert [answer.status.limit_remaining for answer in answers] == [1, 0, 0]
    clock.advance(seconds=seconds)
    assert (await gateway.send(asked, domain="another")).admitted


async def test_a_year_is_one_of_the_calendar(gateway: Gateway, clock: FakeClock) -> None:
    asked = [with_limit("YEAR", 2, path=somebody())]
    first = await gateway.send(asked, domain="another")
    assert first.headers["ratelimit-policy"] == f'"year";q=2;w={365 * 86400}'
    await gateway.send(asked, domain="another")
    clock.now = datetime(2027, 1, 1, tzinfo=UTC) - timedelta(milliseconds=1)
    assert not (await gateway.send(asked, domain="another")).admitted
    clock.advance(seconds=0.001)
    assert (await gateway.send(asked, domain="another")).left == {"year": 1}
    clock.now = datetime(2028, 7, 1, tzinfo=UTC)
    leap = await gateway.send(asked, domain="another")
    assert leap.headers["ratelimit-policy"] == f'"year";q=2;w={366 * 86400}'


@pytest.mark.parametrize(
    ("asked_at", "monday_after"),
    [("2026-07-15T12:00Z", "2026-07-20T00:00Z"), ("2026-12-31T12:00Z", "2027-01-04T00:00Z")],
)
async def test_a_week_is_one_of_the_calendar_and_begins_on_monday(
    gateway: Gateway, clock: FakeClock, asked_at: str, monday_after: str
) -> None:
    clock.now = datetime.fromisoformat(asked_at)
    asked = [with_limit("WEEK", 2, path=somebody())]
    first = await gateway.send(asked, domain="another")
    assert first.status.current_limit.unit == RateLimitResponse.RateLimit.WEEK
    assert first.headers["ratelimit-policy"] == f'"week";q=2;w={7 * 86400}'
    await gateway.send(asked, domain="another")
    clock.now = datetime.fromisoformat(monday_after) - timedelta(milliseconds=1)
    refused = await gateway.send(asked, domain="another")
    assert (refused.admitted, refused.headers["retry-after"]) == (False, "1")
    clock.advance(seconds=0.001)
    assert (await gateway.send(asked, domain="another")).left == {"week": 1}


async def test_a_unit_of_a_newer_envoy_is_no_limit_and_no_error(gateway: Gateway) -> None:
    asked = with_limit("YEAR", 1, path=somebody())
    asked.limit.unit = 99
    for _ in range(3):
        answer = await gateway.send([asked], domain="another")
        assert answer.admitted
        assert not answer.status.HasField("current_limit")


async def test_in_our_own_domain_an_unknown_unit_leaves_the_rule_of_the_table(
    gateway: Gateway,
) -> None:
    asked = with_limit("YEAR", 1, subject=somebody(), tier="free", category="read")
    asked.limit.unit = 99
    assert (await gateway.send([asked])).quotas == {"burst": 10, "minute": 30, "hour": 500}


async def test_an_entry_that_nobody_knows_changes_nothing(gateway: Gateway) -> None:
    caller = somebody()
    await gateway.ask(subject=caller)
    answer = await gateway.ask(subject=caller, colour="blue")
    assert answer.left == {"burst": 8, "minute": 28, "hour": 498}


async def test_what_is_not_clear_is_logged_once(valkey_url: str, short_folder: Path) -> None:
    config = RateLimitSettings(redis_url=valkey_url, runtime_dir=short_folder / "unclear")
    asked = with_limit("YEAR", 1, path=somebody(), subject=somebody(), colour="red")
    asked.limit.unit = 98
    with structlog.testing.capture_logs() as lines:
        async with running_limiter(config, FakeClock()) as fresh:
            for _ in range(3):
                await fresh.send([asked])
    told = [line["warning"] for line in lines if line["event"] == "unclear_descriptor"]
    assert sorted(told) == sorted(set(told))
    assert {"unknown_unit", "unknown_entry"} <= set(told)


async def test_a_descriptor_without_any_rule_is_admitted_and_has_no_limit(
    gateway: Gateway,
) -> None:
    answer = await gateway.send([descriptor({"path": "/"})], domain="another")
    assert answer.admitted
    assert not answer.status.HasField("current_limit")


async def test_descriptors_are_decided_one_by_one_and_charged_together(gateway: Gateway) -> None:
    path = somebody()
    both = [with_limit("HOUR", 1, path=path), with_limit("HOUR", 9, path=f"{path}/other")]
    first = await gateway.send(both, domain="another")
    second = await gateway.send(both, domain="another")
    assert (first.admitted, second.admitted) == (True, False)
    assert [status.code for status in second.response.statuses] == [2, 1]
    assert second.response.statuses[1].limit_remaining == 8


async def test_a_flood_of_refused_requests_costs_no_round_trip(
    gateway: Gateway, valkey: Redis
) -> None:
    caller = somebody()
    await gateway.admitted(11, subject=caller)
    before = (await valkey.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert await gateway.admitted(50, subject=caller) == 0
    after = (await valkey.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert after == before


async def test_a_remembered_refusal_does_not_outlive_what_caused_it(
    gateway: Gateway, clock: FakeClock
) -> None:
    caller = somebody()
    await gateway.admitted(11, subject=caller)
    clock.advance(seconds=0.999)
    assert not (await gateway.ask(subject=caller)).admitted
    clock.advance(seconds=0.001)
    assert (await gateway.ask(subject=caller)).admitted


async def test_many_clients_of_many_callers_are_each_admitted_exactly_up_to_the_limit(
    gateway: Gateway,
) -> None:
    callers = [somebody() for _ in range(8)]
    answers = await asyncio.gather(*(gateway.ask(subject=callers[n % 8]) for n in range(400)))
    admitted = [
        sum(answer.admitted for n, answer in enumerate(answers) if n % 8 == which)
        for which in range(8)
    ]
    assert admitted == [10] * 8


async def test_every_organization_lies_on_one_node_of_a_cluster(
    gateway: Gateway, valkey: Redis
) -> None:
    name = somebody()
    for _ in range(3):
        await gateway.ask(subject=somebody(), organization=name, limits="day=5")
    keys = [key for key in map(str, await valkey.keys("*")) if name in key]
    assert len(keys) == 7
    assert all(key.startswith(f"rl:{{org:{name}}}:") for key in keys)
