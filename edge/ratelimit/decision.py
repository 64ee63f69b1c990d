"""Where the windows of a question stand after it was decided. No I/O, no wire.

Counts come as the script gives them, three numbers a window: of a burst when it
will have dripped empty, in microseconds, and two zeros; of any other window the
start of its span, what was charged in it, and in the span before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.ratelimit.windows import Algorithm, RunningWindow

Counts = Sequence[int]


@dataclass(slots=True)  # frozen ones take twice as long to make
class Standings:
    """Where each window stands, in the order of the question.

    Attributes:
        remaining: what can be charged at this moment.
        shares: the part of each limit that is left, 0 to 1.
        resets: milliseconds until there is more: until the same request would be
            admitted if the window refused it, else until the span ends, or a
            burst is forgotten.
        over: whether the request was more than the window had left; empty if no
            window had less.
    """

    remaining: list[int]
    shares: list[float]
    resets: list[int]
    over: list[bool]


def tightest(windows: Sequence[RunningWindow], standings: Standings, numbers: Sequence[int]) -> int:
    """The number of the window to mind: which refuses for the longest, else has the least left."""
    if standings.over:
        refusing = [n for n in numbers if standings.over[n] and not windows[n].shadow]
        if refusing:
            return max(refusing, key=standings.resets.__getitem__)
    return min(numbers, key=standings.shares.__getitem__)


def after_charge(windows: Sequence[RunningWindow], counts: Counts, now: int) -> Standings:
    """The standings of windows that all had room, and were charged.

    Args:
        counts: with what was charged.
        now: Unix time in milliseconds.
    """
    remaining, shares, resets = [], [], []
    for window, at, current, previous in zip(
        windows, counts[::3], counts[1::3], counts[2::3], strict=True
    ):
        if window.drips:
            reset = max(0, at - now * 1000)
            room = (window.brim - reset) // window.interval
            reset = -(-reset // 1000)
        else:
            reset = window.length - max(0, now - at)
            room = window.limit - current
            if previous:
                room -= -(-previous * reset // window.length)
        remaining.append(room)
        shares.append(room / window.divisor)
        resets.append(reset)
    return Standings(remaining, shares, resets, [])


def before_charge(
    windows: Sequence[RunningWindow], counts: Counts, now: int, charged: bool
) -> Standings:
    """The standings of windows of which one may have had too little room.

    Args:
        counts: without what was asked for.
        now: Unix time in milliseconds.
        charged: whether it was charged afterwards, because only shadows had too little.
    """
    standings = Standings([], [], [], [])
    for window, at, current, previous in zip(
        windows, counts[::3], counts[1::3], counts[2::3], strict=True
    ):
        standing = _drip_standing if window.drips else _standing
        room, reset, over = standing(window, (at, current, previous), now, charged)
        left = max(0, room - window.asked) if charged else max(0, room)
        standings.remaining.append(left)
        standings.shares.append(left / window.divisor)
        standings.resets.append(reset)
        standings.over.append(over)
    return standings


def _drip_standing(
    window: RunningWindow, count: Counts, now: int, charged: bool
) -> tuple[int, int, bool]:
    """What was left of a burst, milliseconds until there is more, and whether it was too little."""
    filled = max(0, count[0] - now * 1000)
    room = (window.brim - filled) // window.interval
    over = room < window.asked
    return room, _drip_reset(window, filled, window.asked if charged else 0, over), over


def _standing(
    window: RunningWindow, count: Counts, now: int, charged: bool
) -> tuple[int, int, bool]:
    """The same of any other window; the span before counts by the part that is not over."""
    at, current, previous = count
    rest = window.length - max(0, now - at)
    room = window.limit - current - -(-previous * rest // window.length)
    over = room < window.asked
    refused = over and not window.shadow
    return room, _wait(window, current, previous, rest) if refused else rest, over


def _drip_reset(window: RunningWindow, filled: int, charged: int, over: bool) -> int:
    """Milliseconds until the same request is admitted, or until all of the burst is back."""
    wait = filled + charged * window.interval
    if over and not window.shadow and window.asked <= window.limit:
        wait -= (window.limit - window.asked) * window.interval
    return -(-wait // 1000)


def _wait(window: RunningWindow, current: int, previous: int, rest: int) -> int:
    """Milliseconds until the same request is admitted, if nothing else is charged meanwhile.

    For a request that costs more than the limit there is no such moment; it is
    told the end of the span, when a smaller one has the best chance.
    """
    if window.algorithm is not Algorithm.SLIDES:
        return rest
    room = window.limit - current - window.asked
    if room >= 0:
        return rest - room * window.length // previous
    room = window.limit - window.asked
    if room < 0 or current * window.length <= room * window.length:
        return rest
    return rest + window.length - room * window.length // current
