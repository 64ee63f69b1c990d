"""What the limiter should do, in a few lines: a list of what was admitted, and fractions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from fractions import Fraction

# Seconds of each sliding window and its limit, for reads on the free tier.
SLIDING = {"minute": (60, 30), "hour": (3600, 500)}
# A burst holds ten, and drains by one each second.
BURST = 10


class Model:
    """One caller on the free tier that reads, with limits of its own.

    Args:
        own_day: its limit for a day.
        own_month: its limit for a month.
        zone: whose days and months they are.
    """

    def __init__(self, own_day: int, own_month: int, zone: tzinfo) -> None:
        self.own_day, self.own_month, self._zone = own_day, own_month, zone
        self._admitted: list[tuple[datetime, int]] = []
        self._burst, self._burst_at = Fraction(0), datetime.min.replace(tzinfo=zone)

    def ask(self, now: datetime, cost: int) -> bool:
        """Whether a request is admitted."""
        if any(room < cost for room in self._rooms(now).values()):
            return False
        self._burst, self._burst_at = self._level(now) + cost, now
        self._admitted.append((now, cost))
        return True

    def left(self, now: datetime) -> dict[str, int]:
        """What remains of each window."""
        return {name: int(room) for name, room in self._rooms(now).items()}

    def _rooms(self, now: datetime) -> dict[str, Fraction]:
        sliding = {
            name: limit - self._used(length, now) for name, (length, limit) in SLIDING.items()
        }
        return {
            "burst": BURST - self._level(now),
            **sliding,
            "key-day": self.own_day - self._since("%Y-%m-%d", now),
            "key-month": self.own_month - self._since("%Y-%m", now),
        }

    def _level(self, now: datetime) -> Fraction:
        elapsed = round((now - self._burst_at).total_seconds() * 1000)
        return max(Fraction(0), self._burst - Fraction(elapsed, 1000))

    def _used(self, seconds: int, now: datetime) -> Fraction:
        """The running span in full, and the part of the one before that the window overlaps."""
        span = int(now.timestamp()) // seconds
        elapsed = Fraction(int(now.timestamp() * 1000), 1000 * seconds) - span
        return self._sum(seconds, span) + self._sum(seconds, span - 1) * (1 - elapsed)

    def _sum(self, seconds: int, span: int) -> int:
        return sum(cost for at, cost in self._admitted if int(at.timestamp()) // seconds == span)

    def _since(self, unit: str, now: datetime) -> Fraction:
        """What was admitted on the same day, or in the same month, as the zone's clocks show."""
        today = now.astimezone(self._zone).strftime(unit)
        same = (c for at, c in self._admitted if at.astimezone(self._zone).strftime(unit) == today)
        return Fraction(sum(same))


class ExactModel:
    """Small sliding windows: a list of what was admitted, each counted for as long as a window is.

    Args:
        windows: seconds and limit of each, by name.
    """

    def __init__(self, windows: Mapping[str, tuple[int, int]]) -> None:
        self.windows = windows
        self._admitted: list[tuple[int, int]] = []

    def ask(self, now: datetime, cost: int) -> bool:
        """Whether a request is admitted."""
        if self.wait(now, cost) != 0:
            return False
        self._admitted.append((_milliseconds(now), cost))
        return True

    def left(self, now: datetime) -> dict[str, int]:
        """What remains of each window."""
        return {
            name: limit - self._used(_milliseconds(now), seconds)
            for name, (seconds, limit) in self.windows.items()
        }

    def wait(self, now: datetime, cost: int) -> int | None:
        """Milliseconds until a request would be admitted; None if there is no such moment."""
        waits = [self._wait(_milliseconds(now), cost, *window) for window in self.windows.values()]
        return None if None in waits else max(wait for wait in waits if wait is not None)

    def _wait(self, now: int, cost: int, seconds: int, limit: int) -> int | None:
        if cost > limit:
            return None
        ends = (at + 1000 * seconds for at, _ in self._admitted)
        moments = (now, *sorted(end for end in ends if end > now))
        return next(at - now for at in moments if self._used(at, seconds) + cost <= limit)

    def _used(self, now: int, seconds: int) -> int:
        return sum(cost for at, cost in self._admitted if at > now - 1000 * seconds)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
