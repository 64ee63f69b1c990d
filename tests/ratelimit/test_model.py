"""Random histories: the service and a model of a few lines agree on every answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portico_kit.testing.clocks import FakeClock
from tests.ratelimit.harness import Gateway, Organizations, somebody
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


# Around these moments the clocks of a zone are set, or a month ends.
TURNS = {
    "Europe/Berlin": ["2026-03-29T01:00Z", "2026-10-25T01:00Z"],
    "America/New_York": ["2026-03-08T07:00Z", "2028-03-01T05:00Z"],
    "Australia/Lord_Howe": ["2026-04-04T15:00Z", "2026-10-03T15:30Z"],
    "UTC": ["2028-02-29T00:00Z", "2027-01-01T00:00Z"],
}
PLACES = st.sampled_from([(zone, turn) for zone, turns in TURNS.items() for turn in turns])
LONG_WAITS = st.one_of(WAITS, st.integers(0, 86_400_000))
LONG_HISTORIES = st.lists(st.tuples(LONG_WAITS, st.integers(0, 12)), min_size=1, max_size=40)


@OPTIONS
@given(history=HISTORIES, own_day=st.integers(1, 200), own_month=st.integers(1, 200))
async def test_the_service_agrees_with_the_model(
    gateway: Gateway, clock: FakeClock, history: list[tuple[int, int]], own_day: int, own_month: int
) -> None:
    await agree(gateway, clock, history, Model(own_day, own_month, UTC))


@OPTIONS
@given(history=LONG_HISTORIES, place=PLACES, own_day=st.integers(1, 30))
async def test_the_service_agrees_with_the_model_in_every_time_zone(
    organizations: Organizations,
    gateway: Gateway,
    clock: FakeClock,
    history: list[tuple[int, int]],
    place: tuple[str, str],
    own_day: int,
) -> None:
    zone, turn = place
    organization = await organizations.in_zone(zone)
    clock.now = datetime.fromisoformat(turn) - timedelta(days=1)
    await agree(gateway, clock, history, Model(own_day, 40, ZoneInfo(zone)), organization)


async def agree(
    gateway: Gateway,
    clock: FakeClock,
    history: list[tuple[int, int]],
    model: Model,
    organization: str = "",
) -> None:
    """Asks the service and the model the same, and compares what they say."""
    caller = somebody()
    own = f"day={model.own_day},month={model.own_month}"
    for milliseconds, cost in history:
        clock.advance(seconds=milliseconds / 1000)
        answer = await gateway.ask(
            own_cost=cost, subject=caller, organization=organization, limits=own
        )
        assert answer.admitted == model.ask(clock.now, cost)
        if answer.admitted:  # a refusal may be told from memory
            left = {name: n for name, n in answer.left.items() if "organization" not in name}
            assert left == model.left(clock.now)


@OPTIONS
@given(history=HISTORIES, cost=st.integers(1, 10))
async def test_a_refused_request_is_admitted_when_it_was_told_and_not_before(
    gateway: Gateway, clock: FakeClock, history: list[tuple[int, int]], cost: int
) -> None:
    caller = somebody()
    for milliseconds, before in history:
        clock.advance(seconds=milliseconds / 1000)
        await gateway.ask(subject=caller, own_cost=before)
    for _ in range(4):  # one window after another may refuse
        refused = await gateway.ask(subject=caller, own_cost=cost)
        if refused.admitted:
            return
        wait = refused.status.duration_until_reset.ToMilliseconds()
        clock.advance(seconds=(wait - 1) / 1000)
        assert not (await gateway.ask(subject=caller, own_cost=cost)).admitted
        clock.advance(seconds=0.001)
    raise AssertionError("it was never admitted")
