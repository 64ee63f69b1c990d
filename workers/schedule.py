"""What beat asks for, and how often: what the features declare, and the cleanup."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from server.app import FEATURES
from server.feature import unique

CLEANUP_TASK = "portico.cleanup.delete_expired"

INTERVALS: Mapping[str, timedelta] = unique(
    "scheduled task",
    (
        (CLEANUP_TASK, timedelta(hours=1)),
        *(item for one in FEATURES for item in one.schedule.items()),
    ),
)
# A request that nobody took is worth nothing once the next ones have been sent. Far
# longer than the sweeps, for sender and worker may not agree about the time.
EXPIRES_SECONDS = 60


def beat_schedule() -> dict[str, Any]:
    """The schedule as Celery takes it."""
    return {
        task: {"task": task, "schedule": interval, "options": {"expires": EXPIRES_SECONDS}}
        for task, interval in INTERVALS.items()
    }
