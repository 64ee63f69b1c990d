"""Looks after webhooks that fail for days, see server/features/webhooks/failing.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog

from portico_kit.clock import Clock
from portico_kit.storage.base import Sessions
from portico_kit.tasks.failures import log_failures
from server.features.emails.facade import Mailer
from server.features.webhooks.failing import find_failing, forget_recovered, take_next_step

log = structlog.get_logger("webhooks")


@dataclass(frozen=True, slots=True)
class FailingWebhooks:
    """Warns of webhooks that are failing, and disables those that have failed for too long.

    Attributes:
        period: how long a receiver may accept nothing.
    """

    sessions: Sessions
    clock: Clock
    mailer: Mailer
    period: timedelta

    async def __call__(self) -> None:
        """Looks at all of them once; one that cannot be looked after keeps back no other."""
        now = self.clock()
        async with self.sessions.begin() as db:
            await forget_recovered(db)
        async with self.sessions() as db:
            found = await find_failing(db, now, self.period)
        for failure in found:
            if failure.next_step(now, self.period) is None:
                continue
            webhook_id = failure.webhook_id
            with log_failures("failing_webhook_skipped", webhook_id=str(webhook_id)):
                async with self.sessions.begin() as db:
                    step = await take_next_step(db, webhook_id, self.mailer, now, self.period)
                log.info("webhook_failing", webhook_id=str(webhook_id), step=step)
