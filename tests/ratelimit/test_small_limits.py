"""Promises about small limits: they are exact at every moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from portico_kit.edge_state.limits import LimitsDocument
from portico_kit.testing.clocks import FakeClock
from tests.ratelimit.harness import Gateway, Organizations, somebody
from tests.ratelimit.model import ExactModel
from tests.ratelimit.test_organizations import with_limit

OPTIONS = settings(
    max_examples=80,
    deadline=None,
    # The fixtures hold nothing that one example could leave to the next.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WAITS = st.one_of(
    st.integers(0, 5_000),
    st.sampled_from([0, 1, 59_999, 60_000, 60_001, 3_599_999, 3_600_000]),
    st.integers(0, 4_000_000),
)
HISTORIES = st.lists(st.tuples(WAITS, st.integers(0, 4)), min_size=1, max_size=40)


def unhurried(limits: str) -> dict[str, Any]:
    """Somebody whose own limits are the only ones that are met."""
    return {"subject": somebody(), "limits": limits, "tier": "enterprise", "category": "read"}


@pytest.mark.parametrize("offset", [0, 0.001, 20, 59.999])
async def test_one_a_minute_is_one_in_every_minute(
    gateway: Gateway, clock: FakeClock, offset: float
) -> None:
    caller = unhurried("minute=1")
    clock.advance(seconds=offset)
    for _ in range(5):
        assert (await gateway.ask(**caller)).admitted
        refused = await gateway.ask(**caller)
        assert (refused.admitted, refused.headers["retry-after"]) == (False, "60")
        clock.advance(seconds=59.999)
        refused = await gateway.ask(**caller)
        assert (refused.admitted, refused.headers["retry-after"]) == (False, "1")
        clock.advance(seconds=0.001)


async def test_a_steady_caller_gets_all_of_a_small_limit(
    gateway: Gateway, clock: FakeClock
) -> None:
    caller = unhurried("minute=5")
    for _ in range(60):
        assert (await gateway.ask(**caller)).admitted
        clock.advance(seconds=12)


async def test_no_minute_ever_has_more_than_a_small_limit(
    gateway: Gateway, clock: FakeClock
) -> None:
    caller, admitted, now = unhurried("minute=5"), [], 0.0
    for _ in range(400):
        if (await gateway.ask(**caller)).admitted:
            admitted.append(now)
        clock.advance(seconds=1)
        now += 1
    assert all(late - early >= 60 for early, late in zip(admitted, admitted[5:], strict=False))
    assert len(admitted) == 35


async def test_a_refusal_says_when_enough_of_the_charges_have_gone(
    gateway: Gateway, clock: FakeClock
) -> None:
    caller = unhurried("minute=3")
    for _ in range(3):
        await gateway.ask(**caller)
        clock.advance(seconds=10)
    assert (await gateway.ask(**caller)).headers["retry-after"] == "30"
    refused = await gateway.ask(cost=2, **caller)
    assert refused.headers["retry-after"] == "40"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    clock.advance(seconds=39.999)
    assert not (await gateway.ask(cost=2, **caller)).admitted
    clock.advance(seconds=0.001)
    assert (await gateway.ask(cost=2, **caller)).admitted


async def test_a_limit_of_nothing_admits_nothing_and_asks_for_no_haste(
    gateway: Gateway, clock: FakeClock
) -> None:
    asked = [with_limit("HOUR", 0, path=somebody())]
    for _ in range(3):
        refused = await gateway.send(asked, domain="another")
        assert (refused.admitted, refused.headers["retry-after"]) == (False, "3600")
        clock.advance(seconds=3600)


async def test_a_clock_far_ahead_locks_nobody_out_of_a_small_limit(
    gateway: Gateway, valkey: Redis, clock: FakeClock
) -> None:
    caller = unhurried("minute=1")
    clock.advance(seconds=86400)
    assert (await gateway.ask(**caller)).admitted
    clock.advance(seconds=-86400)
    assert (await gateway.ask(**caller)).admitted
    assert not (await gateway.ask(**caller)).admitted


async def test_a_clock_that_is_a_little_behind_counts_what_came_before(
    gateway: Gateway, valkey: Redis, clock: FakeClock
) -> None:
    caller = unhurried("minute=2")
    assert (await gateway.ask(**caller)).admitted
    clock.advance(seconds=-0.005)  # another process, five milliseconds late
    assert (await gateway.ask(**caller)).admitted
    refused = await gateway.ask(**caller)
    assert not refused.admitted
    assert refused.status.duration_until_reset.ToMilliseconds() == 60_000


async def test_a_small_limit_in_shadow_counts_on_and_refuses_nobody(
    gateway: Gateway, organizations: Organizations
) -> None:
    limits = LimitsDocument(overrides={"read": {"minute": 20, "hour": 3}}, shadow=True)
    name, caller = await organizations.set(limits), somebody()
    answers = [await gateway.ask(subject=caller, organization=name) for _ in range(60)]
    assert all(answer.admitted for answer in answers)
    assert '"hour"' in answers[3].headers["x-ratelimit-shadow"]
    assert '"minute"' in answers[-1].headers["x-ratelimit-shadow"]


@OPTIONS
@given(history=HISTORIES, minute=st.integers(1, 20), hour=st.integers(1, 20))
async def test_small_limits_agree_with_a_list_of_what_was_admitted(
    gateway: Gateway, clock: FakeClock, history: list[tuple[int, int]], minute: int, hour: int
) -> None:
    model = ExactModel({"key-minute": (60, minute), "key-hour": (3600, hour)})
    caller = unhurried(f"minute={minute},hour={hour}")
    told_until: dict[int, set[datetime]] = {}
    for milliseconds, cost in history:
        clock.advance(seconds=milliseconds / 1000)
        answer = await gateway.ask(own_cost=cost, **caller)
        before = model.wait(clock.now, cost)
        assert answer.admitted == model.ask(clock.now, cost)
        told = answer.status.duration_until_reset.ToMilliseconds()
        if answer.admitted:
            left = {name: n for name, n in answer.left.items() if name in model.windows}
            assert left == model.left(clock.now)
        elif before is not None:
            # The same request may be refused by what was told before, while that lasts.
            until = clock.now + timedelta(milliseconds=told)
            assert told == before or until in told_until.get(cost, set())
            assert told <= before
            told_until.setdefault(cost, set()).add(until)
