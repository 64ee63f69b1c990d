"""Windows: stretches of time in which only so many requests are admitted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Period(StrEnum):
    """How long a window is.

    The short ones slide: the count of the span before fades away over the
    running one. Day and month are those of the calendar, in UTC.
    """

    BURST = "burst"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


SLIDING_SECONDS = {Period.BURST: 10, Period.MINUTE: 60, Period.HOUR: 3600}


@dataclass(frozen=True, slots=True)
class Window:
    """A limit for a period.

    Attributes:
        name: what callers see in the RateLimit headers; unique among the
            windows of a request.
        limit: how much may be charged in the period.
    """

    name: str
    period: Period
    limit: int

    @property
    def slides(self) -> bool:
        """Whether the span before counts too, by the part that still overlaps."""
        return self.period in SLIDING_SECONDS


@dataclass(frozen=True, slots=True)
class Span:
    """The piece of a window's timeline in which a moment lies, in milliseconds."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """Where the next span starts."""
        return self.start + self.length


def milliseconds(moment: datetime) -> int:
    """Unix time in milliseconds."""
    return int(moment.timestamp() * 1000)


def span_at(period: Period, now: datetime) -> Span:
    """The span of a period that holds the moment."""
    seconds = SLIDING_SECONDS.get(period)
    if seconds is None:
        return _calendar_span(period, now.astimezone(UTC))
    length = seconds * 1000
    return Span(milliseconds(now) // length * length, length)


def _calendar_span(period: Period, now: datetime) -> Span:
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    end = start + timedelta(days=1)
    if period is Period.MONTH:
        start = start.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    return Span(milliseconds(start), milliseconds(end) - milliseconds(start))
