"""Webhooks whose receiver accepts nothing for days: warnings, and at last their end.

The time runs from the first attempt that failed (`Webhook.failing_since`); one that is
accepted, a new URL and enabling the webhook again end it. At 50, 70 and 90 percent of it
the organization's owners get a mail and its other webhooks an event; then the webhook is
disabled.

Silence is no failure. A warning needs many attempts that failed, or a few over a long
time: so an endpoint with an event a week is found, too, and one that missed a single
burst is given no verdict by it. Nothing is disabled unless an attempt failed in the
second half of the time, nor without the notice that the last warning gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.emails.facade import Mailer
from server.features.users.notices import readable
from server.features.webhooks.mails import WEBHOOK_DISABLED_FAILING, WEBHOOK_FAILING
from server.features.webhooks.models import (
    DISABLED_EVENT,
    FAILING,
    FAILING_EVENT,
    PART,
    Webhook,
)
from server.features.webhooks.notices import mail_owners, record

# Warnings, in percent of the time that a receiver is given.
STEPS = (50, 70, 90)
LAST_STEP = STEPS[-1]
DEAD = 100

# Failed attempts that are enough for a warning: five events by the standard schedule.
MANY = 20
# Enough if the last of them came late: one event by that schedule, and what began it all.
FEW = 4


@dataclass(frozen=True, slots=True)
class Failure:
    """A webhook that has been failing for a while.

    Attributes:
        step: the last warning, 0 if there was none.
        disables_at: set with the first warning.
        failed: attempts that have failed since `since`.
        last_failed_at: when the last of them ended.
    """

    webhook_id: UUID
    since: datetime
    step: int
    disables_at: datetime | None
    failed: int
    last_failed_at: datetime | None

    def next_step(self, now: datetime, period: timedelta) -> int | None:
        """The warning that is due, `DEAD` if the webhook is to be disabled, None for neither.

        Whoever comes late, because no worker ran or too few attempts were made, starts with
        the warning that fits the time.

        Args:
            period: the time that a receiver is given.
        """
        fails_on = self._last_failed_after(self.since + period / 2)
        if not (self.failed >= MANY or (fails_on and self.failed >= FEW)):
            return None
        if self.step >= LAST_STEP:
            is_over = self.disables_at is not None and self.disables_at <= now
            return DEAD if is_over and fails_on else None
        passed = [step for step in STEPS if now >= self.since + period * step / 100]
        return passed[-1] if passed and passed[-1] > self.step else None

    def end(self, now: datetime, period: timedelta) -> datetime:
        """When the webhook is disabled at the earliest, if it is warned of it now."""
        notice = period * (DEAD - LAST_STEP) / 100
        return max(self.since + period, now + notice)

    def _last_failed_after(self, moment: datetime) -> bool:
        return self.last_failed_at is not None and self.last_failed_at >= moment


async def forget_recovered(db: AsyncSession) -> None:
    """Ends what is known of failures of webhooks that have accepted something since.

    An attempt that is accepted ends it as it is written down, if it began later than the
    failure; this finds those that were under way at the same time.
    """
    await db.execute(_FORGET, {"part": PART})


async def find_failing(db: AsyncSession, now: datetime, period: timedelta) -> Sequence[Failure]:
    """The webhooks whose next step is due by the time."""
    rows = await db.execute(_FAILING, _due(now, period))
    return [Failure(*row) for row in rows]


async def take_next_step(
    db: AsyncSession, webhook_id: UUID, mailer: Mailer, now: datetime, period: timedelta
) -> int | None:
    """Warns of the end of a webhook, or disables it, if that is due.

    Everything is part of the caller's transaction: each step happens once, with its event and
    its mails, however many workers look at the same moment. What another one is at is left out.

    Returns:
        The step that was taken.
    """
    row = (await db.execute(_FAILING_ONE, {"id": webhook_id, **_due(now, period)})).one_or_none()
    failure = None if row is None else Failure(*row)
    step = None if failure is None else failure.next_step(now, period)
    if failure is None or step is None:
        return None
    webhook = await db.get_one(Webhook, webhook_id)
    if step == DEAD:
        await _disable(db, webhook, mailer, now)
    else:
        await _warn(db, webhook, mailer, now, step, failure.end(now, period))
    return step


async def _warn(
    db: AsyncSession,
    webhook: Webhook,
    mailer: Mailer,
    now: datetime,
    step: int,
    disables_at: datetime,
) -> None:
    # No new version: its owner has changed nothing, and overwrites nothing.
    await db.execute(
        update(Webhook)
        .where(Webhook.id == webhook.id)
        .values(failing_step=step, disables_at=disables_at, updated_at=Webhook.updated_at)
        .execution_options(synchronize_session=False)
    )
    await db.refresh(webhook)
    record(db, FAILING_EVENT, webhook, now)
    await mail_owners(
        db,
        mailer,
        WEBHOOK_FAILING,
        webhook,
        disables_at=readable(disables_at),
        **await _what_failed(db, webhook, now),
    )


async def _disable(db: AsyncSession, webhook: Webhook, mailer: Mailer, now: datetime) -> None:
    webhook.disable(FAILING, now)
    webhook.disabled_mail_at = now
    await db.flush()
    await db.refresh(webhook)
    record(db, DISABLED_EVENT, webhook, now)
    await mail_owners(
        db, mailer, WEBHOOK_DISABLED_FAILING, webhook, **await _what_failed(db, webhook, now)
    )


async def _what_failed(db: AsyncSession, webhook: Webhook, now: datetime) -> dict[str, str]:
    """What the mails say beside the webhook and who they are for."""
    last = (await db.execute(_LAST_ATTEMPT, {"id": webhook.id})).one_or_none()
    answer = "none" if last is None else last.error or f"HTTP {last.response_status}"
    return {
        "webhook_description": webhook.description or "none",
        "failing_since": readable(webhook.failing_since or now),
        "last_response": answer,
    }


def _due(now: datetime, period: timedelta) -> dict[str, object]:
    """The parameters of `_FAILING`."""
    first, second, third = (now - period * step / 100 for step in STEPS)
    return {"now": now, "first": first, "second": second, "third": third, "part": PART}


# The first condition is that of the index of unwell webhooks.
_DUE = """
    select webhooks.id, webhooks.failing_since, webhooks.failing_step, webhooks.disables_at,
           made.failed, made.last_failed_at
    from webhooks cross join lateral (
        select coalesce(sum(attempt_count - accepted_count), 0) as failed,
               max(last_failed_at) as last_failed_at
        from webhook_statistics
        where webhook_id = webhooks.id and started_at >= webhooks.failing_since - :part
    ) made
    where (webhooks.failing_since is not null or webhooks.slow_since is not null
           or webhooks.behind_since is not null)
      and webhooks.enabled
      and webhooks.failing_since <= case webhooks.failing_step
              when 0 then :first when 50 then :second when 70 then :third else :now end
      and (webhooks.failing_step < 90 or webhooks.disables_at <= :now)
"""
_FAILING = text(_DUE)
_FAILING_ONE = text(_DUE + " and webhooks.id = :id for no key update of webhooks skip locked")

_FORGET = text("""
    update webhooks set failing_since = null, failing_step = 0, disables_at = null
    where id in (
        select id from webhooks
        where failing_since is not null and enabled and exists (
            select from webhook_statistics
            where webhook_id = webhooks.id
              and started_at >= webhooks.failing_since - :part
              and last_accepted_at > webhooks.failing_since
        )
        for no key update skip locked
    )
""")

# Of the newest deliveries, the last attempt.
_LAST_ATTEMPT = text("""
    select response_status, error
    from (
        select id from deliveries where webhook_id = :id and attempt_count > 0
        order by id desc limit 100
    ) newest
    join attempts on attempts.delivery_id = newest.id
    order by started_at desc limit 1
""")
