"""How requests with the same windows and costs are charged, prepared as a statement is.

A plan is made once for all callers of a tier, and again when one of its spans has ended.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from edge.ratelimit.render import ResponseTemplate
from edge.ratelimit.windows import ActiveWindow, Algorithm, Period, Windows, activate

# Added to the period of a window with a log: its record differs from that of a window with
# two counts, which it becomes when the limit is raised.
LOGGED = 16

# A calendar window is kept a little longer, for edge processes whose clock is behind.
CALENDAR_SLACK_MS = 3_600_000

MAX_AMOUNT = 4_294_967_295  # so that the script's numbers stay exact

_BUDGETS = struct.Struct("<H")
_BUDGET = struct.Struct("<QB")
_WINDOW = struct.Struct("<BBBQQQQQ")
_RECORD = "xQII"


class PlanEntry(NamedTuple):
    """What a request takes from one budget.

    Attributes:
        rule: the name of the rule, for metrics.
        descriptor: the index of the descriptor that names the budget.
        budget: the index of the budget; two descriptors may name the same one.
        cost: how much is taken from each window.
        windows: of the budget.
    """

    rule: str
    descriptor: int
    budget: int
    cost: int
    windows: Windows


class PlanKey(NamedTuple):
    """What requests of different callers share when they are charged alike.

    Attributes:
        descriptors: how many there are.
        entries: one for each budget of each descriptor.
    """

    descriptors: int
    entries: tuple[PlanEntry, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ChargePlan:
    """How requests are charged within the current spans of their windows.

    Attributes:
        valid: the moments in all of these spans, Unix milliseconds.
        argument: of the script, which says the same.
        budgets: how many strings the script returns.
        unpack_counts: unpacks those strings, joined: three numbers for each window.
        windows: of all budgets.
        rules: the rule of each window, for metrics.
        template: of the response.
    """

    valid: range
    argument: bytes
    budgets: int
    unpack_counts: Callable[[bytes], tuple[Any, ...]]
    windows: tuple[ActiveWindow, ...]
    rules: tuple[str, ...]
    template: ResponseTemplate


# Of a request that was never charged.
EMPTY_PLAN = ChargePlan(range(0), b"", 0, struct.Struct("").unpack, (), (), ResponseTemplate([]))


_plans: dict[PlanKey, ChargePlan] = {}
_MAX_PLANS = 4096


def plan_for(key: PlanKey, now_ms: int) -> ChargePlan:
    """The plan that is valid at a moment."""
    plan = _plans.get(key)
    if plan is None or now_ms not in plan.valid:
        if len(_plans) >= _MAX_PLANS:
            _plans.clear()
        plan = _plans[key] = _make_plan(key, now_ms)
    return plan


def _make_plan(key: PlanKey, now_ms: int) -> ChargePlan:
    asked = _asked(key)
    # Windows that share a count are checked for all of its cost, which is charged once.
    uncharged = dict(asked)
    packed = [_BUDGETS.pack(len(key.entries))]
    descriptors: list[list[ActiveWindow]] = [[] for _ in range(key.descriptors)]
    for entry in key.entries:
        windows = [activate(one, asked[entry.budget, one.period], now_ms) for one in entry.windows]
        charged = [uncharged.pop((entry.budget, window.period), 0) for window in windows]
        packed += _packed_budget(windows, charged)
        descriptors[entry.descriptor] += windows
    flat = tuple(chain.from_iterable(descriptors))
    return ChargePlan(
        valid=_common_span(flat, now_ms),
        argument=b"".join(packed),
        budgets=len(key.entries),
        unpack_counts=struct.Struct("<" + _RECORD * len(flat)).unpack,
        windows=flat,
        rules=tuple(entry.rule for entry in key.entries for _ in entry.windows),
        template=ResponseTemplate(descriptors),
    )


def _common_span(windows: Sequence[ActiveWindow], now_ms: int) -> range:
    """The moments in the current spans of all windows; any moment if none has spans."""
    windows = [one for one in windows if one.algorithm is not Algorithm.SLIDING_WINDOW_LOG]
    if not windows:
        return range(2 * now_ms)
    return range(max(one.start for one in windows), min(one.end for one in windows))


def _asked(key: PlanKey) -> Counter[tuple[int, Period]]:
    """The cost that is asked of each count."""
    asked = Counter[tuple[int, Period]]()
    for entry in key.entries:
        for window in entry.windows:
            asked[entry.budget, window.period] += entry.cost
    return asked


def _packed_budget(windows: Sequence[ActiveWindow], charged: Sequence[int]) -> Iterator[bytes]:
    """A budget as the first lines of the script describe it."""
    yield _BUDGET.pack(max(map(_needed_until, windows)), len(windows))
    yield from map(_packed, windows, charged)


def _packed(window: ActiveWindow, charged: int) -> bytes:
    return _WINDOW.pack(
        window.period + LOGGED * (window.algorithm is Algorithm.SLIDING_WINDOW_LOG),
        window.algorithm,
        window.shadow,
        window.capacity,
        window.start,
        window.length,
        min(window.asked, MAX_AMOUNT) * window.interval,
        min(charged, MAX_AMOUNT) * window.interval,
    )


def _needed_until(window: ActiveWindow) -> int:
    """When the count may expire; that of a sliding window is used through the next span."""
    if window.algorithm is Algorithm.SLIDING_WINDOW_LOG:
        return 0  # the script knows when its last charge leaves the window
    if window.algorithm is Algorithm.CALENDAR_WINDOW:
        return window.end + CALENDAR_SLACK_MS
    return window.end + window.length
