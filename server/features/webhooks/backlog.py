"""Webhooks that cannot keep up: their queue ends at a length, and the rest waits in the event log.

An event is one row, however many webhooks of a tenant hang; its deliveries are one for
each. A webhook that fails or is slow, and has `FULL` deliveries pending, is behind from
then on: new events make no deliveries for it until half of them are through. Then what it
missed is made up for, in the order of the events. Nothing is lost as long as the event
log is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    and_,
    exists,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import earliest_id
from server.common.event_names import ALIASES
from server.common.records import Event
from server.features.webhooks.delivery_queue import DueWebhook
from server.features.webhooks.event_types import TEST_EVENT
from server.features.webhooks.fanout import (
    Share,
    add_deliveries,
    add_deliveries_in_order,
    due_webhook,
)
from server.features.webhooks.filtering import filters_of, passing
from server.features.webhooks.models import ALL_EVENTS, FAILING_EVENT, Delivery, Webhook

# Pending deliveries of a webhook that is failing or slow.
FULL = 1000
# Events that are made up for at once.
BATCH = 250
# Events that a filter may leave out in one transaction.
MOST_LOOKED_AT = 5000
# Events are seen in the order of their commits, which is not that of their times: one
# that was written by a transaction of this length is still found.
MARGIN = timedelta(minutes=1)

_UNWELL = or_(
    Webhook.failing_since.is_not(None),
    Webhook.slow_since.is_not(None),
    Webhook.behind_since.is_not(None),
)


async def find_full(db: AsyncSession, full: int = FULL) -> Sequence[UUID]:
    """The webhooks that do not keep up any more.

    Args:
        full: how many pending deliveries that is.
    """
    behind = Webhook.enabled, _UNWELL, Webhook.behind_since.is_(None)
    return (await db.scalars(select(Webhook.id).where(*behind, _has_pending(full)))).all()


async def fall_behind(db: AsyncSession, webhook_id: UUID, now: datetime) -> None:
    """Lets new events of a webhook wait in the event log.

    The fan-out holds a lock on the webhooks that it looks at: whatever was fanned
    out before has its delivery, and whatever comes after is waiting.
    """
    webhook = await db.scalar(
        select(Webhook)
        .where(Webhook.id == webhook_id, Webhook.behind_since.is_(None))
        .with_for_update()
    )
    if webhook is None:
        return
    oldest = select(func.min(Event.created_at)).where(
        Event.fanned_out_at.is_(None), _of_its_organizations(webhook)
    )
    since = await db.scalar(oldest) or now
    await _set_behind(db, webhook_id, min(since, now) - MARGIN)


async def find_catching_up(db: AsyncSession, full: int = FULL) -> Sequence[UUID]:
    """The webhooks that are behind and have room for more deliveries."""
    behind = Webhook.enabled, _UNWELL, Webhook.behind_since.is_not(None)
    return (await db.scalars(select(Webhook.id).where(*behind, ~_has_pending(full // 2)))).all()


async def catch_up(db: AsyncSession, webhook_id: UUID, now: datetime) -> DueWebhook | None:
    """Makes the next deliveries of what a webhook missed; it is behind no more if that was all.

    Returns:
        The webhook, if it has something to be sent.
    """
    webhook = await db.scalar(
        select(Webhook)
        .where(Webhook.id == webhook_id, Webhook.enabled, Webhook.behind_since.is_not(None))
        .with_for_update()
    )
    if webhook is None or webhook.behind_since is None:
        return None
    events, since = await _next_missed(db, webhook, webhook.behind_since)
    shares = [Share(event, [webhook]) for event in events]
    await add_deliveries(db, shares, now)
    await add_deliveries_in_order(db, shares, now)
    await _set_behind(db, webhook_id, since)
    return due_webhook(webhook) if events else None


async def _next_missed(
    db: AsyncSession, webhook: Webhook, since: datetime
) -> tuple[Sequence[Event], datetime | None]:
    """The next events that the webhook missed, and where to go on; None if that was all.

    What its filter leaves out has no delivery, and so is found again until the webhook is
    past it: it looks on until it is.
    """
    filters = filters_of([webhook])
    found: list[Event] = []
    last: Event | None = None
    looked_at = 0
    while True:
        events = (await db.scalars(_missed(webhook, since, last))).all()
        found += [event for event in events if passing([webhook], event, filters)]
        if len(events) < BATCH:
            return found, None
        last = events[-1]
        looked_at += BATCH
        goes_on = min(event.created_at for event in events) - MARGIN
        if len(found) >= BATCH or (looked_at >= MOST_LOOKED_AT and goes_on > since):
            return found, goes_on


def _missed(webhook: Webhook, since: datetime, last: Event | None) -> Select[Event]:
    """The next events that have no delivery to the webhook.

    Args:
        last: the event after which they come, if it is known.
    """
    delivered = exists().where(Delivery.webhook_id == webhook.id, Delivery.event_id == Event.id)
    return (
        select(Event)
        .where(
            _of_its_organizations(webhook),
            Event.created_at >= since,
            # Ids begin with the time: of all organizations they are what can be looked up.
            Event.id >= earliest_id(since - MARGIN),
            Event.fanned_out_at.is_not(None),
            subscribed(webhook),
            ~delivered,
            true() if last is None else tuple_(*_order(webhook)) > tuple_(*_place(webhook, last)),
        )
        .order_by(*_order(webhook))
        .limit(BATCH)
    )


def subscribed(webhook: Webhook) -> ColumnElement[bool]:
    """Whether an event is of a type that the webhook is sent; its filter may still leave it out."""
    names = [ALIASES.get(name, name) for name in webhook.event_types]
    wanted: ColumnElement[bool] = Event.type.in_(names)
    if ALL_EVENTS in webhook.event_types:
        wanted = or_(wanted, Event.platform.is_(False))
    # That of itself, see `Webhook.wants`.
    own = (Event.type == FAILING_EVENT) & (Event.data["id"].astext == str(webhook.id))
    # A test is that of one webhook.
    return and_(wanted, Event.type != TEST_EVENT, ~own)


def _order(webhook: Webhook) -> Sequence[SQLColumnExpression[Any]]:
    """How the events of a webhook come; those from before there were numbers come first.

    Of all organizations they come as their ids do, which is what can be looked up.
    """
    by_time = Event.created_at, Event.id
    if webhook.all_organizations:
        return (Event.id,)
    return (func.coalesce(Event.sequence, 0), *by_time) if webhook.ordered else by_time


def _place(webhook: Webhook, event: Event) -> Sequence[Any]:
    """Where an event stands in that order."""
    by_time = event.created_at, event.id
    if webhook.all_organizations:
        return (event.id,)
    return (event.sequence or 0, *by_time) if webhook.ordered else by_time


def _of_its_organizations(webhook: Webhook) -> ColumnElement[bool]:
    """Which events a webhook may be sent, by their organizations."""
    if webhook.all_organizations:
        return true()
    return Event.organization_id == webhook.organization_id


def _has_pending(count: int) -> ColumnElement[bool]:
    """Whether a webhook has so many pending deliveries; no more than these are counted."""
    some = (
        select(Delivery.webhook_id)
        .where(Delivery.webhook_id == Webhook.id, Delivery.next_attempt_at.is_not(None))
        .limit(count)
        .correlate(Webhook)
        .subquery()
    )
    return select(func.count()).select_from(some).scalar_subquery() >= count


async def _set_behind(db: AsyncSession, webhook_id: UUID, since: datetime | None) -> None:
    await db.execute(
        update(Webhook)
        .where(Webhook.id == webhook_id)
        .values(behind_since=since, updated_at=Webhook.updated_at)
        .execution_options(synchronize_session=False)
    )
