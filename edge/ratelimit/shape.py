"""What questions with the same windows and costs have in common as long as their spans run.

It is found out once for all callers of a tier, and anew when a span has ended.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from edge.ratelimit.render import Told
from edge.ratelimit.windows import Algorithm, Period, RunningWindow, Windows, running

# Added to the period of a window with a log: its record is not that of a window with two
# counts, which it may be tomorrow when the limit is raised.
LOGGED = 16

# A stretch of the calendar is kept a little longer, for callers whose clock is behind.
SLACK = 3_600_000  # milliseconds

LARGEST_AMOUNT = 4_294_967_295  # so that the script's numbers stay exact

_PARTS = struct.Struct("<H")
_BUDGET = struct.Struct("<QB")
_WINDOW = struct.Struct("<BBBQQQQQ")
_RECORD = "xQII"


class Part(NamedTuple):
    """What a question asks of one budget.

    Attributes:
        rule: the name of the rule, for metrics.
        descriptor: the number of the descriptor that asks.
        budget: the number of the budget; two descriptors may name the same one.
    """

    rule: str
    descriptor: int
    budget: int
    cost: int
    windows: Windows


class Form(NamedTuple):
    """What makes two questions alike: the callers may differ."""

    descriptors: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A form while its spans run.

    Attributes:
        good: the moments for which they do.
        argument: the question as the script is given it.
        budgets: how many strings the script answers.
        counts: reads those strings, joined: three numbers a window.
        windows: of all budgets.
        rules: which each window belongs to, for metrics.
        told: how an answer is written.
    """

    good: range
    argument: bytes
    budgets: int
    counts: Callable[[bytes], tuple[Any, ...]]
    windows: tuple[RunningWindow, ...]
    rules: tuple[str, ...]
    told: Told


# Of a question that was never asked.
UNSHAPED = Shape(range(0), b"", 0, struct.Struct("").unpack, (), (), Told([]))


_shapes: dict[Form, Shape] = {}
_SHAPES_AT_MOST = 4096


def shape_of(form: Form, now: int) -> Shape:
    """The shape of a form at a moment."""
    shape = _shapes.get(form)
    if shape is None or now not in shape.good:
        if len(_shapes) >= _SHAPES_AT_MOST:
            _shapes.clear()
        shape = _shapes[form] = _find_shape(form, now)
    return shape


def _find_shape(form: Form, now: int) -> Shape:
    """Finds the running spans, and packs all as the script's first lines say."""
    asked = _asked(form)
    # Windows that share a count are asked for all of it, and it is charged once.
    charged = dict(asked)
    packed = [_PARTS.pack(len(form.parts))]
    descriptors: list[list[RunningWindow]] = [[] for _ in range(form.descriptors)]
    for part in form.parts:
        windows = [running(one, asked[part.budget, one.period], now) for one in part.windows]
        packed.append(_BUDGET.pack(max(map(_needed_until, windows)), len(windows)))
        packed += [
            _packed(window, charged.pop((part.budget, window.period), 0)) for window in windows
        ]
        descriptors[part.descriptor] += windows
    flat = tuple(chain.from_iterable(descriptors))
    return Shape(
        good=_good(flat, now),
        argument=b"".join(packed),
        budgets=len(form.parts),
        counts=struct.Struct("<" + _RECORD * len(flat)).unpack,
        windows=flat,
        rules=tuple(part.rule for part in form.parts for _ in part.windows),
        told=Told(descriptors),
    )


def _good(windows: Sequence[RunningWindow], now: int) -> range:
    """When the spans of all of them run; without any span, that does not matter."""
    windows = [one for one in windows if one.algorithm is not Algorithm.LOG]
    if not windows:
        return range(2 * now)
    return range(max(one.start for one in windows), min(one.end for one in windows))


def _asked(form: Form) -> Counter[tuple[int, Period]]:
    """What is asked of each count."""
    asked = Counter[tuple[int, Period]]()
    for part in form.parts:
        for window in part.windows:
            asked[part.budget, window.period] += part.cost
    return asked


def _packed(window: RunningWindow, charged: int) -> bytes:
    return _WINDOW.pack(
        window.period + LOGGED * (window.algorithm is Algorithm.LOG),
        window.algorithm,
        window.shadow,
        window.brim,
        window.start,
        window.length,
        min(window.asked, LARGEST_AMOUNT) * window.interval,
        min(charged, LARGEST_AMOUNT) * window.interval,
    )


def _needed_until(window: RunningWindow) -> int:
    """When the count may be forgotten: one that slides is needed through the next span."""
    if window.algorithm is Algorithm.LOG:
        return 0  # as long as its last charge counts, which the script knows
    if window.algorithm is Algorithm.CALENDAR:
        return window.end + SLACK
    return window.end + window.length
