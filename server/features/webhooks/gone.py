"""A receiver that answers 410 Gone: its webhook is disabled, and its owners get a mail."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.common.records import record_by_worker
from server.features.emails.facade import Mailer
from server.features.organizations.owners import owner_contacts
from server.features.webhooks import messages
from server.features.webhooks.mails import WEBHOOK_DISABLED
from server.features.webhooks.models import GONE, Webhook

DISABLED_EVENT = "webhook.disabled"
# A webhook that is enabled and gone again and again is one mail a day.
MAIL_INTERVAL = timedelta(days=1)


async def disable_gone(db: AsyncSession, webhook_id: UUID, mailer: Mailer, now: datetime) -> bool:
    """Disables a webhook whose receiver is gone: event, audit entry and mails with it.

    Everything is part of the caller's transaction, and happens once, however many
    attempts find out at the same moment.

    Returns:
        Whether it was enabled before.
    """
    webhook = await db.scalar(
        select(Webhook)
        .where(Webhook.id == webhook_id, Webhook.enabled)
        .with_for_update(key_share=True)
    )
    if webhook is None:
        return False
    last = webhook.disabled_mail_at
    mail_is_due = last is None or last <= now - MAIL_INTERVAL
    webhook.disable(GONE, now)
    webhook.disabled_mail_at = now if mail_is_due else last
    await db.flush()
    await db.refresh(webhook)
    _record(db, webhook, now)
    if mail_is_due:
        await _send_mails(db, webhook, mailer)
    return True


def _record(db: AsyncSession, webhook: Webhook, now: datetime) -> None:
    record_by_worker(
        db,
        DISABLED_EVENT,
        organization_id=webhook.organization_id,
        target_id=webhook.id,
        data=messages.redacted_webhook(webhook, now),
        now=now,
    )


async def _send_mails(db: AsyncSession, webhook: Webhook, mailer: Mailer) -> None:
    for owner in await owner_contacts(db, webhook.organization_id):
        mailer.queue(
            db,
            owner.email,
            WEBHOOK_DISABLED,
            display_name=owner.display_name,
            webhook_url=messages.redacted_url(webhook.url),
            webhook_id=str(webhook.id),
        )
