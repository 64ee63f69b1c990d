"""When a delivery that failed is tried again."""

from __future__ import annotations

import random
from datetime import timedelta

from portico_kit.tasks.retries import RetrySchedule
from server.features.webhooks.delivery_queue import Claim

# How much shorter or longer a pause may be, so that what failed at one moment does not come
# back at one moment.
JITTER = 0.2


def pause_after(claim: Claim, standard: RetrySchedule) -> timedelta | None:
    """The pause after a failed attempt, by the schedule of its webhook; None gives up."""
    made = claim.schedule_position + 1
    pauses = claim.settings.retry_pauses
    if pauses is None:
        return standard.pause_after(made)
    return timedelta(seconds=pauses[made - 1]) if made <= len(pauses) else None


def jittered(pause: timedelta) -> timedelta:
    """A pause of about this length."""
    # Nothing depends on whether anybody can predict it.
    return pause * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
