"""Windows: periods of time with a limit. Times are Unix milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import IntEnum


class Period(IntEnum):
    """How long a window is. The numbers are stored in Valkey and keep their meaning."""

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

    # Generic cell rate algorithm (a leaky bucket): the limit at once, then at a steady rate.
    GCRA = 0
    # Sliding window counter: the count of the previous span is weighted by the part of it
    # that is still in the window.
    SLIDING_WINDOW = 1
    # Fixed window of the calendar, counted from 0 at each start.
    CALENDAR_WINDOW = 2
    # Sliding window log: keeps the time of each charge, exact at every moment.
    SLIDING_WINDOW_LOG = 3


BURST_SECONDS = 10
SLIDING_SECONDS = {Period.SECOND: 1, Period.MINUTE: 60, Period.HOUR: 3600}
# The largest limit of a sliding window that keeps the time of each charge. Two counts know
# the time of a charge only by its span, which costs a caller up to one request a span: too
# much of a small limit.
MAX_LOGGED_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Window:
    """A limit for a period.

    Attributes:
        name: as in the RateLimit headers.
        period: how long it is.
        limit: how much may be charged in the period.
        zone: the time zone in which days, weeks, months and years start.
        shadow: whether it is only counted and reported, and refuses nothing.
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
            return Algorithm.GCRA
        if self.period not in SLIDING_SECONDS:
            return Algorithm.CALENDAR_WINDOW
        return (
            Algorithm.SLIDING_WINDOW_LOG
            if self.limit <= MAX_LOGGED_LIMIT
            else Algorithm.SLIDING_WINDOW
        )

    @property
    def interval_us(self) -> int:
        """The emission interval of a burst (GCRA), rounded up: its limit is never exceeded."""
        return -(-BURST_SECONDS * 1_000_000 // self.limit)


class Windows(tuple[Window, ...]):
    """The windows that are counted under one key.

    Equality is identity: callers of a tier share one object, and a comparison of the
    contents would cost more than the decision.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other


@dataclass(frozen=True, slots=True)
class Span:
    """A window from one of its starts to the next."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """When the next span starts."""
        return self.start + self.length


def milliseconds(moment: datetime) -> int:
    """Unix time in milliseconds."""
    return int(moment.timestamp() * 1000)


def span_at(window: Window, now: int) -> Span:
    """The span of a window that contains a moment; spans follow each other without a gap."""
    if window.algorithm is Algorithm.CALENDAR_WINDOW:
        return _calendar_span(window.period, window.zone, now)
    length = SLIDING_SECONDS.get(window.period, BURST_SECONDS) * 1000
    if window.algorithm is Algorithm.SLIDING_WINDOW_LOG:
        return Span(0, length)  # it has no spans: it always ends at the present moment
    return Span(now // length * length, length)


# The current span by period and zone: read by each request, changed once a day at most.
_calendar: dict[tuple[Period, tzinfo], Span] = {}


def _calendar_span(period: Period, zone: tzinfo, now: int) -> Span:
    span = _calendar.get((period, zone))
    if span is None or not span.start <= now < span.end:
        span = _calendar[period, zone] = _find_calendar_span(period, zone, now)
    return span


def _find_calendar_span(period: Period, zone: tzinfo, now: int) -> Span:
    """From midnight to midnight in the zone, also when its clocks are changed meanwhile."""
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
class ActiveWindow:
    """A window in its current span, with the cost of a request.

    What each decision uses is computed once.

    Attributes:
        name: as in the RateLimit headers.
        period: how long it is.
        algorithm: how it counts.
        limit: how much may be charged in the period.
        shadow: whether it refuses nothing.
        asked: the cost of the request.
        start: of the span.
        length: of the span.
        is_gcra: whether it is a burst, whose counts are microseconds.
        interval: the emission interval of a burst, in microseconds; 1 for other windows.
        capacity: the limit; of a burst, the time that a full one takes to drain, in
            microseconds.
        divisor: the limit, or 1 if that is 0, for the share that remains.
    """

    name: str
    period: Period
    algorithm: Algorithm
    limit: int
    shadow: bool
    asked: int
    start: int
    length: int
    is_gcra: bool
    interval: int
    capacity: int
    divisor: int

    @property
    def end(self) -> int:
        """When the next span starts."""
        return self.start + self.length


def activate(window: Window, asked: int, now: int) -> ActiveWindow:
    """A window in the span that contains a moment, for a request of this cost."""
    span = span_at(window, now)
    is_gcra = window.algorithm is Algorithm.GCRA
    interval = window.interval_us if is_gcra else 1
    return ActiveWindow(
        name=window.name,
        period=window.period,
        algorithm=window.algorithm,
        limit=window.limit,
        shadow=window.shadow,
        asked=asked,
        start=span.start,
        length=span.length,
        is_gcra=is_gcra,
        interval=interval,
        capacity=window.limit * interval,
        divisor=max(1, window.limit),
    )
