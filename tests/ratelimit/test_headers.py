"""Promises about what callers are told."""

from __future__ import annotations

from envoy.service.ratelimit.v3.rls_pb2 import RateLimitResponse

from portico_kit.testing.clocks import NOON, FakeClock
from tests.ratelimit.harness import Gateway, somebody

UNIX_NOON = int(NOON.timestamp())
Unit = RateLimitResponse.RateLimit


async def test_every_window_is_shown_as_the_ietf_draft_says(
    gateway: Gateway, clock: FakeClock
) -> None:
    clock.advance(seconds=4)
    headers = (await gateway.ask(subject=somebody(), tier="basic", limits="month=100000")).headers
    assert headers["ratelimit-policy"] == (
        '"burst";q=20;w=10, "minute";q=60;w=60, "hour";q=2000;w=3600,'
        ' "key-month";q=100000;w=2678400'
    )
    # Noon of the 15th: 16.5 days of July are left.
    assert headers["ratelimit"] == (
        '"burst";r=19;t=1, "minute";r=59;t=56, "hour";r=1999;t=3596,'
        f' "key-month";r=99999;t={int(16.5 * 86400) - 4}'
    )


async def test_the_customary_headers_tell_of_the_window_with_the_least_left(
    gateway: Gateway, clock: FakeClock
) -> None:
    caller = somebody()
    first = (await gateway.ask(subject=caller, limits="hour=20")).headers
    assert (first["x-ratelimit-limit"], first["x-ratelimit-remaining"]) == ("10", "9")
    assert first["x-ratelimit-reset"] == str(UNIX_NOON + 1)
    clock.advance(seconds=20)
    for _ in range(8):
        last = (await gateway.ask(subject=caller, limits="hour=20")).headers
    assert (last["x-ratelimit-limit"], last["x-ratelimit-remaining"]) == ("10", "2")
    clock.advance(seconds=20)
    for _ in range(8):
        last = (await gateway.ask(subject=caller, limits="hour=20")).headers
        clock.advance(seconds=5)
    assert (last["x-ratelimit-limit"], last["x-ratelimit-remaining"]) == ("20", "3")
    # All of the hour is back when the last of its charges is an hour old.
    assert last["x-ratelimit-reset"] == str(UNIX_NOON + 75 + 3600)


async def test_an_admitted_request_is_not_told_to_come_back_later(gateway: Gateway) -> None:
    assert "retry-after" not in (await gateway.ask(subject=somebody())).headers


async def test_a_refused_request_is_told_when_it_will_be_admitted(
    gateway: Gateway, clock: FakeClock
) -> None:
    caller = somebody()
    await gateway.admitted(10, subject=caller)
    clock.advance(seconds=3)
    # Three of the ten are back; the other five come one a second.
    refused = (await gateway.ask(subject=caller, cost=8)).headers
    assert refused["retry-after"] == "5"
    assert refused["x-ratelimit-remaining"] == "3"
    assert refused["x-ratelimit-reset"] == str(UNIX_NOON + 8)
    clock.advance(seconds=4.999)
    assert not (await gateway.ask(subject=caller, cost=8)).admitted
    clock.advance(seconds=0.001)
    assert (await gateway.ask(subject=caller, cost=8)).admitted


async def test_retry_after_is_that_of_the_window_that_takes_longest(
    gateway: Gateway, clock: FakeClock
) -> None:
    caller = somebody()
    for _ in range(2):
        await gateway.ask(subject=caller, limits="day=2")
    refused = await gateway.ask(subject=caller, limits="day=2")
    assert refused.headers["retry-after"] == str(12 * 3600)
    assert refused.headers["x-ratelimit-limit"] == "2"


async def test_nobody_is_told_to_come_back_at_once(gateway: Gateway, clock: FakeClock) -> None:
    caller = somebody()
    await gateway.admitted(10, subject=caller)
    clock.advance(seconds=0.999)
    assert (await gateway.ask(subject=caller)).headers["retry-after"] == "1"


async def test_envoy_gets_the_status_of_the_window_to_mind(
    gateway: Gateway, clock: FakeClock
) -> None:
    caller = somebody()
    clock.advance(seconds=2.5)
    status = (await gateway.ask(subject=caller, limits="hour=1")).status
    assert status.code == RateLimitResponse.OK
    assert (status.current_limit.name, status.current_limit.unit) == ("key-hour", Unit.HOUR)
    assert (status.current_limit.requests_per_unit, status.limit_remaining) == (1, 0)
    assert status.duration_until_reset.ToMilliseconds() == 3_600_000
    refused = (await gateway.ask(subject=caller, limits="hour=1")).status
    assert refused.code == RateLimitResponse.OVER_LIMIT
