"""Clocks for whatever takes a `portico_kit.clock.Clock`.

    clock = FakeClock()             # stands still, at NOON if nothing else is said
    clock.advance(seconds=60)

    clock = OffsetClock()           # the real time, shifted
    clock.advance(timedelta(days=1))
    with clock.later(timedelta(hours=1)):
        ...

Use OffsetClock where the database or another process reads the real time as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

# The start of an hour, a minute and a burst span, in the middle of a month.
NOON = datetime(2026, 7, 15, 12, tzinfo=UTC)
_NOTHING = timedelta(0)


class FakeClock:
    """A clock that stands still until it is advanced.

    Args:
        now: the time that it shows first.
    """

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta = _NOTHING, *, seconds: float = 0.0) -> None:
        """Moves the clock on, or back if the time is negative."""
        self.now += by + timedelta(seconds=seconds)


class OffsetClock:
    """The real time, shifted by as much as a test says."""

    def __init__(self) -> None:
        self._offset = _NOTHING

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def advance(self, by: timedelta) -> None:
        """It is later by so much from now on."""
        self._offset += by

    @contextmanager
    def later(self, by: timedelta) -> Iterator[None]:
        """It is later by so much inside the block."""
        before = self._offset
        self._offset = before + by
        try:
            yield
        finally:
            self._offset = before
