"""What beat asks for, and how often.

The sweeps find what a lost wake-up has left lying, and retries when they are
due: they decide how late something can be at the most.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from portico_kit.tasks.names import DELIVERY_TASK, EMAIL_TASK, EVENT_TASK

BACKLOG_TASK = "portico.webhooks.look_after_backlog"
EXPIRED_TASK = "portico.housekeeping.delete_expired"
SIGNING_KEYS_TASK = "portico.housekeeping.rotate_signing_keys"

SWEEP = timedelta(seconds=5)
HOUSEKEEPING = timedelta(hours=1)

# A wake-up that nobody took is worth nothing once the next ones have been sent. Far
# longer than the sweep, for sender and worker may not agree about the time.
WORTHLESS_AFTER = 60  # seconds


def _every(interval: timedelta, task: str) -> dict[str, Any]:
    return {"task": task, "schedule": interval, "options": {"expires": WORTHLESS_AFTER}}


SCHEDULE = {
    task: _every(interval, task)
    for task, interval in {
        EVENT_TASK: SWEEP,
        DELIVERY_TASK: SWEEP,
        EMAIL_TASK: SWEEP,
        BACKLOG_TASK: SWEEP,
        EXPIRED_TASK: HOUSEKEEPING,
        SIGNING_KEYS_TASK: HOUSEKEEPING,
    }.items()
}
