"""Windows: stretches of time in which only so much is admitted. Times are Unix milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import IntEnum


class Period(IntEnum):
    """How long a window is. The numbers stand in Valkey and never change their meaning."""

    BURST = 1
    SECOND = 2
    MINUTE = 3
    HOUR = 4
    DAY = 5
    MONTH = 6
    YEAR = 7
    WEEK = 8


class Algorithm(IntEnum):
    """How a window counts. The numbers are known to the script."""

    # A bucket that drips (GCRA): as much as the limit at once, then steadily.
    DRIPS = 0
    # The count of the span before fades away over the running one.
    SLIDES = 1
    # A stretch of the calendar, counted anew from each start.
    CALENDAR = 2
    # The time of each charge is kept (sliding window log): exact at every moment.
    LOG = 3


BURST_SECONDS = 10
SLIDING_SECONDS = {Period.SECOND: 1, Period.MINUTE: 60, Period.HOUR: 3600}
# Up to this limit a sliding window keeps the time of each charge. Two counts know a charge's
# time only by its span, which costs a caller up to one request a span: one of many is
# little, one of one is all.
LOGGED_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Window:
    """A limit for a period.

    Attributes:
        name: what callers see in the RateLimit headers.
        limit: how much may be charged in the period.
        zone: whose calendar holds for days, weeks, months and years.
        shadow: counted and reported, but nothing is refused for it.
    """

    name: str
    period: Period
    limit: int
    zone: tzinfo = UTC
    shadow: bool = False

    @property
    def algorithm(self) -> Algorithm:
        """How it counts."""
        if self.period is Period.BURST:
            return Algorithm.DRIPS
        if self.period not in SLIDING_SECONDS:
            return Algorithm.CALENDAR
        return Algorithm.LOG if self.limit <= LOGGED_LIMIT else Algorithm.SLIDES

    @property
    def interval(self) -> int:
        """Microseconds in which a burst drips by one, rounded up: never more than the limit."""
        return -(-BURST_SECONDS * 1_000_000 // self.limit)


class Windows(tuple[Window, ...]):
    """The windows that are counted under one key.

    Two of them are equal only if they are the same: callers of a tier share theirs,
    and to compare what is in them would cost more than the decision.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other


@dataclass(frozen=True, slots=True)
class Span:
    """The piece of a window's timeline in which a moment lies."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """Where the next span starts."""
        return self.start + self.length


def milliseconds(moment: datetime) -> int:
    """Unix time in milliseconds."""
    return int(moment.timestamp() * 1000)


def span_at(window: Window, now: int) -> Span:
    """The span of a window that holds the moment; spans follow each other without a gap."""
    if window.algorithm is Algorithm.CALENDAR:
        return _calendar_span(window.period, window.zone, now)
    length = SLIDING_SECONDS.get(window.period, BURST_SECONDS) * 1000
    if window.algorithm is Algorithm.LOG:
        return Span(0, length)  # it has no spans: the last minute is the last minute
    return Span(now // length * length, length)


# The running span of each calendar: it changes once a day, and is asked for at each request.
_calendar: dict[tuple[Period, tzinfo], Span] = {}


def _calendar_span(period: Period, zone: tzinfo, now: int) -> Span:
    span = _calendar.get((period, zone))
    if span is None or not span.start <= now < span.end:
        span = _calendar[period, zone] = _find_calendar_span(period, zone, now)
    return span


def _find_calendar_span(period: Period, zone: tzinfo, now: int) -> Span:
    """From midnight to midnight on the clocks of the zone, however long that takes."""
    day = datetime.fromtimestamp(now / 1000, zone).replace(tzinfo=None)
    start = day.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period is Period.DAY:
        end = start + timedelta(days=1)
    elif period is Period.WEEK:  # ISO 8601: it begins on Monday
        start -= timedelta(days=start.weekday())
        end = start + timedelta(days=7)
    elif period is Period.MONTH:
        start = start.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    else:
        start = start.replace(month=1, day=1)
        end = start.replace(year=start.year + 1)
    first, last = (milliseconds(moment.replace(tzinfo=zone)) for moment in (start, end))
    return Span(first, last - first)


@dataclass(frozen=True, slots=True, eq=False)
class RunningWindow:
    """A window while one of its spans runs, and what a question asks of it.

    What is looked at in each decision is found out once.

    Attributes:
        asked: the cost of the question.
        start: of the span.
        length: of the span, in milliseconds.
        drips: whether it is a burst.
        interval: microseconds in which a burst drips by one; 1 for other windows.
        brim: the limit; of a burst, how long a full one drips, in microseconds.
        divisor: the limit, or 1 if nothing is allowed: what is left is a part of it.
    """

    name: str
    period: Period
    algorithm: Algorithm
    limit: int
    shadow: bool
    asked: int
    start: int
    length: int
    drips: bool
    interval: int
    brim: int
    divisor: int

    @property
    def end(self) -> int:
        """Where the next span starts."""
        return self.start + self.length


def running(window: Window, asked: int, now: int) -> RunningWindow:
    """A window in the span that holds the moment."""
    span = span_at(window, now)
    drips = window.algorithm is Algorithm.DRIPS
    interval = window.interval if drips else 1
    return RunningWindow(
        name=window.name,
        period=window.period,
        algorithm=window.algorithm,
        limit=window.limit,
        shadow=window.shadow,
        asked=asked,
        start=span.start,
        length=span.length,
        drips=drips,
        interval=interval,
        brim=window.limit * interval,
        divisor=max(1, window.limit),
    )
