"""Webhooks, deliveries and attempts as the contract shows them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from portico.webhooks.v1 import webhook_pb2 as pb

from portico_kit.clock import timestamp
from server.features.webhooks.models import Attempt, Delivery, Webhook

# What stands for all of a URL that may be as good as a credential.
HIDDEN = "/…"


def webhook(row: Webhook, now: datetime) -> pb.Webhook:
    """The message for a webhook, for those who may change it."""
    message = redacted_webhook(row, now)
    message.url = row.url
    return message


def redacted_webhook(row: Webhook, now: datetime) -> pb.Webhook:
    """The message for a webhook as it is shown to all others, in events and in the audit log."""
    expires_at = row.previous_secret_expires_at
    return pb.Webhook(
        id=str(row.id),
        organization_id=str(row.organization_id),
        url=redacted_url(row.url),
        event_types=row.event_types,
        description=row.description,
        enabled=row.enabled,
        all_organizations=row.all_organizations,
        created_at=timestamp(row.created_at),
        updated_at=timestamp(row.updated_at),
        disabled_reason=row.disabled_reason,
        disabled_at=timestamp(row.disabled_at),
        previous_secret_expires_at=timestamp(
            expires_at if expires_at is not None and now < expires_at else None
        ),
    )


def redacted_url(url: str) -> str:
    """A URL without its path and query: capability URLs carry their token there."""
    scheme, _, rest = url.partition("://")
    # Rows from before user names were refused may hold one.
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    after = rest[len(authority) :]
    host = authority.rpartition("@")[2]
    return f"{scheme}://{host}" + (after if after in ("", "/") else HIDDEN)


def delivery(row: Delivery) -> pb.Delivery:
    """The message for a delivery as lists show it."""
    return pb.Delivery(
        id=str(row.id),
        webhook_id=str(row.webhook_id),
        event_id=str(row.event_id),
        event_type=row.event_type,
        status=row.status,
        attempt_count=row.attempt_count,
        next_attempt_at=timestamp(row.next_attempt_at),
        created_at=timestamp(row.created_at),
        delivered_at=timestamp(row.delivered_at),
    )


def whole_delivery(row: Delivery, payload: str, attempts: Sequence[Attempt]) -> pb.Delivery:
    """The message for a delivery with what is posted and what came of it."""
    message = delivery(row)
    message.payload = payload
    message.attempts.extend(attempt(one) for one in attempts)
    return message


def attempt(row: Attempt) -> pb.Attempt:
    """The message for an attempt."""
    return pb.Attempt(
        number=row.number,
        started_at=timestamp(row.started_at),
        duration_ms=row.duration_ms,
        response_status=row.response_status or 0,
        response_body=row.response_body,
        error=row.error,
    )
