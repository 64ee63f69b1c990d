"""What the workers do to a webhook, as others hear of it: event, audit entry and mails."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from server.common.mail import Mail
from server.common.records import record_by_worker
from server.features.emails.facade import Mailer
from server.features.organizations.owners import owner_contacts
from server.features.webhooks import messages
from server.features.webhooks.models import Webhook


def record(db: AsyncSession, event: str, webhook: Webhook, now: datetime) -> None:
    """Writes the audit log and the event, with the webhook as it is now."""
    record_by_worker(
        db,
        event,
        organization_id=webhook.organization_id,
        target_id=webhook.id,
        data=messages.redacted_webhook(webhook, now),
        now=now,
    )


async def mail_owners(
    db: AsyncSession, mailer: Mailer, mail: Mail, webhook: Webhook, **variables: str
) -> None:
    """Queues a mail about a webhook to each owner of its organization who can act.

    Args:
        variables: what fills the gaps of the mail beside the webhook and the owner.
    """
    for owner in await owner_contacts(db, webhook.organization_id):
        mailer.queue(
            db,
            owner.email,
            mail,
            display_name=owner.display_name,
            webhook_url=messages.redacted_url(webhook.url),
            webhook_id=str(webhook.id),
            **variables,
        )
