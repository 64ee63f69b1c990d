"""When the deliveries of a webhook are tried again: named schedules, or one of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from portico_kit.errors import invalid
from portico_kit.tasks.retries import RETRIES

STANDARD = "standard"
PATIENT = "patient"
CUSTOM = "custom"

# The longest that the pauses of a schedule may be together.
LONGEST = timedelta(days=7)

# The pauses after each failed attempt, in seconds. `PATIENT` is what Standard Webhooks
# recommends: ten attempts within 75 hours, the first at once.
NAMED: Mapping[str, tuple[int, ...]] = {
    STANDARD: tuple(int(pause.total_seconds()) for pause in RETRIES.pauses),
    PATIENT: (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400),
}

FIELD = "retry_pauses_seconds"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When deliveries are tried again.

    Attributes:
        name: `STANDARD`, `PATIENT` or `CUSTOM`.
        stored: the pauses in seconds as the row has them; None for the standard schedule.
    """

    name: str = STANDARD
    stored: Sequence[int] | None = None

    @property
    def pauses(self) -> Sequence[int]:
        """The pauses after each failed attempt, in seconds."""
        return NAMED[STANDARD] if self.stored is None else self.stored

    def changed_to(self, name: str | None, pauses: Sequence[int] | None) -> Schedule:
        """The schedule that a request makes of this one.

        Args:
            name: the schedule that it asks for; None leaves the name as it is.
            pauses: in seconds; None if it gives none.

        Raises:
            InvalidRequestError: if name and pauses do not belong together.
        """
        name = name or self.name
        if name == CUSTOM:
            kept = self.stored if self.name == CUSTOM else None
            return _custom(pauses or kept)
        # The pauses of the named schedule are no contradiction: clients send back what they read.
        if pauses and tuple(pauses) != NAMED[name]:
            raise invalid(FIELD, "SCHEDULE_NOT_CUSTOM", 'are only for the schedule "custom"')
        return Schedule(name, None if name == STANDARD else list(NAMED[name]))


def _custom(pauses: Sequence[int] | None) -> Schedule:
    if not pauses:
        raise invalid(FIELD, "REQUIRED", 'are required for the schedule "custom"')
    if timedelta(seconds=sum(pauses)) > LONGEST:
        raise invalid(FIELD, "SCHEDULE_TOO_LONG", "must be at most 604,800 seconds together")
    return Schedule(CUSTOM, list(pauses))
