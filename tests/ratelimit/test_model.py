"""Random histories: the service and a model of a few lines agree on every answer."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ratelimit.harness import Clock, Gateway, somebody
from tests.ratelimit.model import Model

# Mostly short waits, so that limits are met; now and then one that leaves a span behind.
WAITS = st.one_of(
    st.integers(0, 3_000),
    st.sampled_from([0, 1, 9_999, 10_000, 59_999, 60_000, 3_599_999, 3_600_000]),
    st.integers(0, 7_200_000),
)
HISTORIES = st.lists(st.tuples(WAITS, st.integers(0, 12)), min_size=1, max_size=40)

OPTIONS = settings(
    max_examples=60,
    deadline=None,
    # The fixtures hold nothing that one example could leave to the next.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@OPTIONS
@given(history=HISTORIES, own_day=st.integers(1, 200))
async def test_the_service_agrees_with_the_model(
    gateway: Gateway, clock: Clock, history: list[tuple[int, int]], own_day: int
) -> None:
    caller, model = somebody(), Model(own_day)
    for milliseconds, cost in history:
        clock.turn(milliseconds / 1000)
        answer = await gateway.ask(subject=caller, own_cost=cost, limits=f"day={own_day}")
        assert answer.admitted == model.ask(clock.now, cost)
        assert answer.left == model.left(clock.now)


@OPTIONS
@given(history=HISTORIES, cost=st.integers(1, 10))
async def test_a_refused_request_is_admitted_when_it_was_told_and_not_before(
    gateway: Gateway, clock: Clock, history: list[tuple[int, int]], cost: int
) -> None:
    caller = somebody()
    for milliseconds, before in history:
        clock.turn(milliseconds / 1000)
        await gateway.ask(subject=caller, own_cost=before)
    for _ in range(4):  # one window after another may refuse
        refused = await gateway.ask(subject=caller, own_cost=cost)
        if refused.admitted:
            return
        wait = refused.status.duration_until_reset.ToMilliseconds()
        clock.turn((wait - 1) / 1000)
        assert not (await gateway.ask(subject=caller, own_cost=cost)).admitted
        clock.turn(0.001)
    raise AssertionError("it was never admitted")
