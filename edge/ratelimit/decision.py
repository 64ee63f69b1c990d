"""What was decided about a request, and where its windows stand afterwards. No I/O, no wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from edge.ratelimit.windows import Window


@dataclass(frozen=True, slots=True)
class Count:
    """What was charged in a window before the request, and what the request asks for.

    Attributes:
        start: where the running span starts, in milliseconds.
        current: charged in the running span.
        previous: charged in the span before; 0 if the window does not slide.
        asked: the cost of the request.
    """

    start: int
    current: int
    previous: int
    asked: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a window stands after the decision.

    Attributes:
        length: of the window, in milliseconds.
        remaining: what can be charged at this moment.
        reset: milliseconds until there is more: until the same request would
            be admitted if the window refused it, else until the span ends.
        refused: whether the window did not admit the request.
    """

    window: Window
    length: int
    remaining: int
    reset: int
    refused: bool

    @property
    def share(self) -> float:
        """The part of the limit that is left, 0 to 1."""
        return self.remaining / self.window.limit


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request is admitted, with the standings of each of its descriptors."""

    now: datetime
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


def standing(window: Window, length: int, count: Count, now: int, admitted: bool) -> Standing:
    """Where a window stands.

    Args:
        length: of the window's running span, in milliseconds.
        now: Unix time in milliseconds.
        admitted: whether the request was, and so was charged.
    """
    elapsed = max(0, now - count.start)
    refused = not admitted and _room(window, length, count, elapsed) < count.asked
    charged = count.asked if admitted else 0
    return Standing(
        window=window,
        length=length,
        remaining=max(0, _room(window, length, count, elapsed) - charged),
        reset=_wait(window, length, count, elapsed) if refused else length - elapsed,
        refused=refused,
    )


def _room(window: Window, length: int, count: Count, elapsed: int) -> int:
    """What can be charged now; the span before counts by the part of it that is not over."""
    faded = -(-count.previous * (length - elapsed) // length)
    return window.limit - count.current - faded


def _wait(window: Window, length: int, count: Count, elapsed: int) -> int:
    """Milliseconds until the same request is admitted, if nothing else is charged meanwhile.

    For a request that costs more than the limit there is no such moment; it is
    told the end of the span, when a smaller one has the best chance.
    """
    rest = length - elapsed
    if not window.slides:
        return rest
    room = window.limit - count.current - count.asked
    if room >= 0:
        return rest - room * length // count.previous
    room = window.limit - count.asked
    if room < 0 or count.current * length <= room * length:
        return rest
    return rest + length - room * length // count.current
