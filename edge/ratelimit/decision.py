"""What was decided about a question, and where its windows stand afterwards. No I/O, no wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from edge.ratelimit.windows import Algorithm, Span, Window

# A window is nearly used up when no more than this part of it is left.
NEAR_SHARE = 5  # a fifth


@dataclass(slots=True)  # frozen ones take twice as long to make
class Count:
    """What was charged in a window before the question, and what the question asks for.

    Attributes:
        at: where the running span starts, in milliseconds; of a burst, when
            it will have dripped empty, in microseconds.
        current: charged in the running span.
        previous: charged in the span before; 0 if the window does not slide.
        asked: the cost of the request.
    """

    at: int
    current: int
    previous: int
    asked: int


@dataclass(slots=True)  # frozen ones take twice as long to make
class Standing:
    """Where a window stands after the decision.

    Attributes:
        length: of the window, in milliseconds.
        remaining: what can be charged at this moment.
        reset: milliseconds until there is more: until the same request would
            be admitted if the window refused it, else until the span ends, or
            a burst is forgotten.
        over: whether the request was more than the window had left.
    """

    window: Window
    length: int
    remaining: int
    reset: int
    over: bool

    @property
    def refused(self) -> bool:
        """Whether the window did not admit the request."""
        return self.over and not self.window.shadow

    @property
    def near(self) -> bool:
        """Whether the window is nearly used up."""
        return self.remaining * NEAR_SHARE <= self.window.limit

    @property
    def share(self) -> float:
        """The part of the limit that is left, 0 to 1."""
        return self.remaining / max(1, self.window.limit)


@dataclass(slots=True)  # frozen ones take twice as long to make
class Decision:
    """Whether a request is admitted, with the standings of each of its descriptors."""

    now: int
    admitted: bool
    descriptors: tuple[tuple[Standing, ...], ...]

    @property
    def standings(self) -> tuple[Standing, ...]:
        """The windows of all descriptors."""
        return tuple(chain.from_iterable(self.descriptors))


def tightest(standings: Sequence[Standing]) -> Standing:
    """The window to mind: which refuses for the longest, else which has the least left."""
    refusing = [one for one in standings if one.refused]
    if refusing:
        return max(refusing, key=lambda one: one.reset)
    return min(standings, key=lambda one: one.share)


def standing(window: Window, span: Span, count: Count, now: int, admitted: bool) -> Standing:
    """Where a window stands.

    Args:
        now: Unix time in milliseconds.
        admitted: whether the request was, and so was charged.
    """
    drips = window.algorithm is Algorithm.DRIPS
    room = _drip_room(window, count, now) if drips else _room(window, span.length, count, now)
    over = room < count.asked
    charged = count.asked if admitted else 0
    if drips:
        reset = _drip_reset(window, count, now, charged, over)
    else:
        reset = _reset(window, span.length, count, now, over)
    return Standing(window, span.length, max(0, room - charged), reset, over)


def _drip_room(window: Window, count: Count, now: int) -> int:
    """What can be charged at once."""
    filled = max(0, count.at - now * 1000)
    return (window.limit * window.interval - filled) // window.interval


def _drip_reset(window: Window, count: Count, now: int, charged: int, over: bool) -> int:
    """Milliseconds until the same request is admitted, or until all of the burst is back."""
    filled = max(0, count.at - now * 1000)
    wait = filled + charged * window.interval
    if over and not window.shadow and count.asked <= window.limit:
        wait -= (window.limit - count.asked) * window.interval
    return -(-wait // 1000)


def _room(window: Window, length: int, count: Count, now: int) -> int:
    """What can be charged now; the span before counts by the part of it that is not over."""
    elapsed = max(0, now - count.at)
    faded = -(-count.previous * (length - elapsed) // length)
    return window.limit - count.current - faded


def _reset(window: Window, length: int, count: Count, now: int, over: bool) -> int:
    elapsed = max(0, now - count.at)
    if over and not window.shadow:
        return _wait(window, length, count, elapsed)
    return length - elapsed


def _wait(window: Window, length: int, count: Count, elapsed: int) -> int:
    """Milliseconds until the same request is admitted, if nothing else is charged meanwhile.

    For a request that costs more than the limit there is no such moment; it is
    told the end of the span, when a smaller one has the best chance.
    """
    rest = length - elapsed
    if window.algorithm is not Algorithm.SLIDES:
        return rest
    room = window.limit - count.current - count.asked
    if room >= 0:
        return rest - room * length // count.previous
    room = window.limit - count.asked
    if room < 0 or count.current * length <= room * length:
        return rest
    return rest + length - room * length // count.current
