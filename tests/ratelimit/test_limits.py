"""Promises about how much is admitted."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor

from portico_kit.testing.clocks import FakeClock
from tests.ratelimit.harness import Gateway, descriptor, somebody


def reading(subject: str) -> RateLimitDescriptor:
    """The descriptor of a read on the free tier."""
    return descriptor({"subject": subject, "tier": "free", "category": "read"})


@pytest.mark.parametrize(
    ("tier", "minute", "hour", "burst"),
    [
        ("free", 30, 500, 10),
        ("basic", 60, 2000, 20),
        ("pro", 120, 5000, 40),
        ("enterprise", 300, 20000, 100),
    ],
)
async def test_each_tier_has_its_limits(
    gateway: Gateway, tier: str, minute: int, hour: int, burst: int
) -> None:
    answer = await gateway.ask(subject=somebody(), tier=tier)
    assert answer.quotas == {"burst": burst, "minute": minute, "hour": hour}


@pytest.mark.parametrize(
    ("tier", "category", "minute", "hour", "burst"),
    [
        ("free", "write", 15, 250, 5),
        ("free", "delete", 7, 125, 3),
        ("basic", "delete", 15, 500, 5),
        ("pro", "write", 60, 2500, 20),
        ("enterprise", "delete", 75, 5000, 25),
    ],
)
async def test_writes_have_half_of_the_rate_and_deletions_a_quarter(
    gateway: Gateway, tier: str, category: str, minute: int, hour: int, burst: int
) -> None:
    answer = await gateway.ask(subject=somebody(), tier=tier, category=category)
    assert answer.quotas == {"burst": burst, "minute": minute, "hour": hour}


async def test_the_last_request_of_a_burst_is_admitted_and_the_next_is_not(
    gateway: Gateway,
) -> None:
    caller = somebody()
    answers = [await gateway.ask(subject=caller) for _ in range(11)]
    assert [answer.admitted for answer in answers] == [True] * 10 + [False]
    assert [answer.left["burst"] for answer in answers] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]


async def test_a_minute_admits_exactly_its_limit(gateway: Gateway, clock: FakeClock) -> None:
    caller, admitted = somebody(), 0
    for _ in range(3):  # ten seconds apart twice, so that bursts are not what refuses
        admitted += await gateway.admitted(10, subject=caller)
        clock.advance(seconds=20)
    clock.advance(seconds=-1)
    assert admitted == 30
    assert not (await gateway.ask(subject=caller)).admitted


async def test_an_hour_admits_exactly_its_limit(gateway: Gateway, clock: FakeClock) -> None:
    caller, admitted = somebody(), 0
    for _ in range(59):
        admitted += await gateway.admitted(9, subject=caller)
        clock.advance(seconds=60)
    assert admitted == 500


async def test_a_window_slides_over_the_end_of_its_span(gateway: Gateway, clock: FakeClock) -> None:
    caller: dict[str, Any] = {"subject": somebody(), "tier": "enterprise", "limits": "minute=50"}
    assert (await gateway.ask(cost=50, **caller)).admitted
    clock.advance(seconds=60)  # the next minute begins, and all fifty still count
    assert not (await gateway.ask(**caller)).admitted
    clock.advance(seconds=1.199)  # a millisecond short of a fiftieth of the minute
    assert not (await gateway.ask(**caller)).admitted
    clock.advance(seconds=0.001)  # a fiftieth of them has faded: 49 count
    assert (await gateway.ask(**caller)).admitted
    assert not (await gateway.ask(**caller)).admitted


async def test_after_two_spans_of_silence_everything_is_forgotten(
    gateway: Gateway, clock: FakeClock
) -> None:
    caller = somebody()
    await gateway.admitted(10, subject=caller)
    clock.advance(seconds=20)
    assert (await gateway.ask(subject=caller)).left["burst"] == 9


async def test_many_clients_at_once_are_admitted_exactly_up_to_the_limit(
    gateway: Gateway,
) -> None:
    caller = somebody()
    answers = await asyncio.gather(
        *(gateway.ask(subject=caller, tier="enterprise") for _ in range(400))
    )
    assert sum(answer.admitted for answer in answers) == 100


async def test_a_refused_request_is_charged_to_no_window(gateway: Gateway) -> None:
    caller = somebody()
    await gateway.admitted(10, subject=caller)
    for _ in range(5):
        refused = await gateway.ask(subject=caller)
        assert not refused.admitted
        assert refused.left == {"burst": 0, "minute": 20, "hour": 490}


async def test_what_one_descriptor_refuses_is_not_charged_to_the_other(gateway: Gateway) -> None:
    tired, fresh = somebody(), somebody()
    await gateway.admitted(10, subject=tired)
    both = [reading(name) for name in (fresh, tired)]
    answer = await gateway.send(both)
    assert not answer.admitted
    assert [status.code for status in answer.response.statuses] == [1, 2]
    assert (await gateway.ask(subject=fresh)).left["burst"] == 9


async def test_two_descriptors_for_one_window_are_charged_both(gateway: Gateway) -> None:
    caller = somebody()
    twice = [reading(caller)] * 2
    assert (await gateway.send(twice)).admitted
    assert (await gateway.ask(subject=caller)).left["burst"] == 7


async def test_two_descriptors_are_refused_when_only_one_fits(gateway: Gateway) -> None:
    caller = somebody()
    await gateway.ask(subject=caller, cost=9)
    twice = [reading(caller)] * 2
    assert not (await gateway.send(twice)).admitted
    assert (await gateway.ask(subject=caller)).admitted


async def test_very_many_descriptors_are_decided_together(gateway: Gateway) -> None:
    callers = [somebody() for _ in range(1000)]
    assert (await gateway.send(map(reading, callers))).admitted
    assert (await gateway.ask(subject=callers[-1])).left["burst"] == 8
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.send(map(reading, [*callers, somebody()]))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_expensive_call_takes_its_cost(gateway: Gateway) -> None:
    caller = somebody()
    assert (await gateway.ask(subject=caller, cost=7)).left["burst"] == 3
    assert not (await gateway.ask(subject=caller, cost=4)).admitted
    assert (await gateway.ask(subject=caller, cost=3)).left["burst"] == 0


async def test_the_cost_of_a_descriptor_goes_before_that_of_the_request(gateway: Gateway) -> None:
    assert (await gateway.ask(subject=somebody(), cost=7, own_cost=2)).left["burst"] == 8


async def test_a_cost_of_nothing_only_looks(gateway: Gateway) -> None:
    caller = somebody()
    await gateway.ask(subject=caller, cost=10)
    look = await gateway.ask(subject=caller, own_cost=0)
    assert look.admitted
    assert look.left["burst"] == 0


async def test_a_call_that_costs_more_than_the_limit_is_refused(gateway: Gateway) -> None:
    answer = await gateway.ask(subject=somebody(), cost=4_000_000_000)
    assert not answer.admitted
    assert answer.left["burst"] == 10


async def test_callers_and_categories_do_not_share(gateway: Gateway) -> None:
    caller = somebody()
    await gateway.admitted(10, subject=caller)
    assert not (await gateway.ask(subject=caller)).admitted
    assert (await gateway.ask(subject=caller, category="write")).admitted
    assert (await gateway.ask(subject=somebody())).admitted
