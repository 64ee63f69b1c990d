"""What the limiter should do, in a few lines: a list of what was admitted, and fractions."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

# Seconds of each window and its limit, for reads on the free tier.
SLIDING = {"burst": (10, 10), "minute": (60, 30), "hour": (3600, 500)}


class Model:
    """One caller on the free tier that reads."""

    def __init__(self, own_day: int) -> None:
        self._own_day = own_day
        self._admitted: list[tuple[datetime, int]] = []

    def ask(self, now: datetime, cost: int) -> bool:
        """Whether a request is admitted."""
        fits = all(self._used(seconds, now) + cost <= limit for seconds, limit in SLIDING.values())
        if fits and self._used_today(now) + cost <= self._own_day:
            self._admitted.append((now, cost))
            return True
        return False

    def left(self, now: datetime) -> dict[str, int]:
        """What remains of each window."""
        left = {
            name: int(limit - self._used(seconds, now))
            for name, (seconds, limit) in SLIDING.items()
        }
        return {**left, "key-day": self._own_day - self._used_today(now)}

    def _used(self, seconds: int, now: datetime) -> Fraction:
        """The running span in full, and the part of the one before that the window overlaps."""
        span = int(now.timestamp()) // seconds
        elapsed = Fraction(int(now.timestamp() * 1000), 1000 * seconds) - span
        return self._sum(seconds, span) + self._sum(seconds, span - 1) * (1 - elapsed)

    def _sum(self, seconds: int, span: int) -> int:
        return sum(cost for at, cost in self._admitted if int(at.timestamp()) // seconds == span)

    def _used_today(self, now: datetime) -> int:
        return sum(cost for at, cost in self._admitted if at.date() == now.date())
