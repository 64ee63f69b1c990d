"""When to try again: the schedule that webhooks and mails have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """How long after a failed attempt the next one is made.

    Attributes:
        pauses: one for each retry, in their order; when they are used up, it is given up.
    """

    pauses: tuple[timedelta, ...]

    def pause_after(self, attempts: int) -> timedelta | None:
        """How long to wait after so many attempts have failed; None gives up."""
        return self.pauses[attempts - 1] if attempts <= len(self.pauses) else None


# The first attempt is made at once; with it there are four.
RETRIES = RetrySchedule(tuple(timedelta(seconds=seconds) for seconds in (60, 300, 900)))
