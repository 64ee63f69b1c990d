"""The states of a request's windows after its decision. No I/O, no serialization.

Counts are what the script returns, three numbers for each window: of a burst the time at
which it is empty (its theoretical arrival time, in microseconds) and two zeros; of any
other window the start of its span, what was charged in it, and in the previous span.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.ratelimit.windows import ActiveWindow, Algorithm

Counts = Sequence[int]


@dataclass(slots=True)  # frozen ones take twice as long to make
class WindowStates:
    """The state of each window, in the order of the request.

    Attributes:
        remaining: what can be charged at this moment.
        shares: the share of each limit that remains, 0 to 1.
        resets_ms: the time until more remains: until the same request is admitted if the
            window refused it, else until the span ends, or the burst is empty.
        over: whether the request cost more than the window had left; empty if it fitted
            into all windows.
    """

    remaining: list[int]
    shares: list[float]
    resets_ms: list[int]
    over: list[bool]


def tightest(windows: Sequence[ActiveWindow], states: WindowStates, numbers: Sequence[int]) -> int:
    """The index of the window that refuses for longest, else of the one with the least left."""
    if states.over:
        refusing = [n for n in numbers if states.over[n] and not windows[n].shadow]
        if refusing:
            return max(refusing, key=states.resets_ms.__getitem__)
    return min(numbers, key=states.shares.__getitem__)


def after_charge(windows: Sequence[ActiveWindow], counts: Counts, now: int) -> WindowStates:
    """The states of windows that the request fitted into.

    Args:
        windows: of the request.
        counts: after the charge.
        now: Unix time in milliseconds.
    """
    remaining, shares, resets = [], [], []
    for window, at, current, previous in zip(
        windows, counts[::3], counts[1::3], counts[2::3], strict=True
    ):
        if window.is_gcra:
            reset = max(0, at - now * 1000)
            room = (window.capacity - reset) // window.interval
            reset = -(-reset // 1000)
        else:
            reset = window.length - max(0, now - at)
            room = window.limit - current
            if previous:
                room -= -(-previous * reset // window.length)
        remaining.append(room)
        shares.append(room / window.divisor)
        resets.append(reset)
    return WindowStates(remaining, shares, resets, [])


def before_charge(
    windows: Sequence[ActiveWindow], counts: Counts, now: int, charged: bool
) -> WindowStates:
    """The states of windows of which at least one had too little room.

    Args:
        windows: of the request.
        counts: before the charge.
        now: Unix time in milliseconds.
        charged: whether the request was charged, because only windows in shadow mode had
            too little room.
    """
    states = WindowStates([], [], [], [])
    for window, at, current, previous in zip(
        windows, counts[::3], counts[1::3], counts[2::3], strict=True
    ):
        state = _gcra_state if window.is_gcra else _span_state
        room, reset, over = state(window, (at, current, previous), now, charged)
        left = max(0, room - window.asked) if charged else max(0, room)
        states.remaining.append(left)
        states.shares.append(left / window.divisor)
        states.resets_ms.append(reset)
        states.over.append(over)
    return states


def _gcra_state(
    window: ActiveWindow, count: Counts, now: int, charged: bool
) -> tuple[int, int, bool]:
    """What was left of a burst, milliseconds until more is, and whether it was too little."""
    filled = max(0, count[0] - now * 1000)
    room = (window.capacity - filled) // window.interval
    over = room < window.asked
    return room, _gcra_reset(window, filled, window.asked if charged else 0, over), over


def _span_state(
    window: ActiveWindow, count: Counts, now: int, charged: bool
) -> tuple[int, int, bool]:
    """The same of any other window; the previous span counts by its part in the window."""
    at, current, previous = count
    remaining_ms = window.length - max(0, now - at)
    room = window.limit - current - -(-previous * remaining_ms // window.length)
    over = room < window.asked
    refused = over and not window.shadow
    return room, _wait(window, current, previous, remaining_ms) if refused else remaining_ms, over


def _gcra_reset(window: ActiveWindow, filled: int, charged: int, over: bool) -> int:
    """Milliseconds until the same request is admitted, or until the burst is empty."""
    wait = filled + charged * window.interval
    if over and not window.shadow and window.asked <= window.limit:
        wait -= (window.limit - window.asked) * window.interval
    return -(-wait // 1000)


def _wait(window: ActiveWindow, current: int, previous: int, rest: int) -> int:
    """Milliseconds until the same request is admitted, if nothing else is charged meanwhile.

    A request that costs more than the limit is never admitted; for it, the time until
    the span ends.
    """
    if window.algorithm is not Algorithm.SLIDING_WINDOW:
        return rest
    room = window.limit - current - window.asked
    if room >= 0:
        return rest - room * window.length // previous
    room = window.limit - window.asked
    if room < 0 or current * window.length <= room * window.length:
        return rest
    return rest + window.length - room * window.length // current
