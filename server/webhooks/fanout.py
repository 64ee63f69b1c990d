"""From an event to its deliveries: what the workers ask about events that are not yet told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from server.kit.ids import new_id
from server.kit.outbox import Event
from server.webhooks.models import Delivery, Webhook


def event_payload(event: Event) -> str:
    """The JSON text that is posted for an event, of the form that Standard Webhooks suggests."""
    told = {
        "type": event.type,
        "timestamp": event.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "id": str(event.id),
        "organizationId": str(event.organization_id),
        "data": event.data,
    }
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


async def fan_out(db: AsyncSession, now: datetime, limit: int) -> int:
    """Makes the deliveries of the oldest events that have none yet.

    Events that another worker is at are left out. Whoever calls commits: the
    deliveries and the mark on the events must come to be together.

    Args:
        limit: how many events at the most.

    Returns:
        How many events there were.
    """
    events = await _claim_pending(db, limit)
    if not events:
        return 0
    subscribers = await _enabled_webhooks(db, {event.organization_id for event in events})
    deliveries = [row for event in events for row in _deliveries(event, subscribers, now)]
    if deliveries:
        # One that is there already came of an earlier run; it must not be sent twice.
        await db.execute(insert(Delivery).on_conflict_do_nothing(), deliveries)
    told = [event.id for event in events]
    await db.execute(update(Event).where(Event.id.in_(told)).values(fanned_out_at=now))
    return len(events)


async def _claim_pending(db: AsyncSession, limit: int) -> Sequence[Event]:
    query = (
        select(Event)
        .where(Event.fanned_out_at.is_(None))
        .order_by(Event.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (await db.scalars(query)).all()


async def _enabled_webhooks(db: AsyncSession, organizations: Iterable[UUID]) -> Sequence[Webhook]:
    """The webhooks that may want something, held so that none is deleted under its deliveries."""
    query = (
        select(Webhook)
        .where(Webhook.organization_id.in_(organizations), Webhook.enabled)
        .order_by(Webhook.id)
        .with_for_update(read=True, key_share=True)
    )
    return (await db.scalars(query)).all()


def _deliveries(
    event: Event, subscribers: Sequence[Webhook], now: datetime
) -> list[dict[str, Any]]:
    """The rows for the webhooks of the event's organization that want it."""
    payload = event_payload(event)
    return [
        {
            "id": new_id(),
            "webhook_id": webhook.id,
            "organization_id": event.organization_id,
            "event_id": event.id,
            "event_type": event.type,
            "payload": payload,
            "next_attempt_at": now,
        }
        for webhook in subscribers
        if webhook.organization_id == event.organization_id and webhook.wants(event.type)
    ]
