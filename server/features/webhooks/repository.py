"""The questions that the service asks about webhooks and deliveries, one query each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, Text, cast, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from portico_kit.paging import Cursors, Order, Page, Paging, fetch_page
from server.common.records import Event
from server.features.webhooks.delivery_filter import DeliveryFilter, fetch_examined
from server.features.webhooks.models import Attempt, Delivery, Webhook
from server.features.webhooks.payload import event_payload
from server.features.webhooks.signing_keys import PublicKeys

# Attempts that are shown of a delivery.
SHOWN_ATTEMPTS = 100
# Events that a filter is tried on, and of which they are the newest.
SHOWN_EVENTS = 100
MOST_LOOKED_AT = 5000
LOCK_SEED = 0x776562686F6F6B  # "webhook"

NEWEST_FIRST = Order((Webhook.id,))
NEWEST_DELIVERY_FIRST = Order((Delivery.id,))


class WebhookRepository:
    """Webhooks in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, webhook: Webhook) -> None:
        """Adds a new webhook."""
        self._db.add(webhook)

    async def find(self, webhook_id: UUID, organizations: Collection[UUID]) -> Webhook | None:
        """The webhook, if one of the organizations owns it."""
        query = select(Webhook).where(
            Webhook.id == webhook_id, Webhook.organization_id.in_(organizations)
        )
        return await self._db.scalar(query)

    async def count(self, organization_id: UUID) -> int:
        """How many webhooks an organization has; nobody else adds one before the call ends."""
        # The second key keeps it apart from other locks by organization.
        lock = func.pg_advisory_xact_lock(func.hashtextextended(str(organization_id), LOCK_SEED))
        await self._db.execute(select(lock))
        query = select(func.count()).where(Webhook.organization_id == organization_id)
        return await self._db.scalar(query) or 0

    async def list(self, organization_id: UUID, paging: Paging, cursors: Cursors) -> Page[Webhook]:
        """A page of an organization's webhooks, newest first."""
        query = select(Webhook).where(Webhook.organization_id == organization_id)
        return await fetch_page(self._db, query, NEWEST_FIRST, paging, cursors)

    async def list_public_keys(self, organization_id: UUID) -> Sequence[PublicKeys]:
        """The public keys of an organization's webhooks that have any."""
        query = (
            select(
                Webhook.id,
                Webhook.public_key,
                Webhook.previous_public_key,
                Webhook.previous_key_expires_at,
            )
            .where(Webhook.organization_id == organization_id, Webhook.public_key.is_not(None))
            .order_by(Webhook.id)
        )
        return [PublicKeys(*row) for row in await self._db.execute(query)]


class DeliveryRepository:
    """Deliveries in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, delivery: Delivery) -> None:
        """Adds a new delivery."""
        self._db.add(delivery)

    async def find(self, delivery_id: UUID, organizations: Collection[UUID]) -> Delivery | None:
        """The delivery, if it belongs to one of the organizations."""
        return await self._db.scalar(_delivery(delivery_id, organizations))

    async def find_to_change(
        self, delivery_id: UUID, organizations: Collection[UUID]
    ) -> Delivery | None:
        """The same, locked: a worker or another caller may be at it."""
        return await self._db.scalar(_delivery(delivery_id, organizations).with_for_update())

    async def payload(self, delivery: Delivery) -> str:
        """What is posted for a delivery; "" if its event is no longer kept."""
        if delivery.payload is not None:
            return delivery.payload
        query = select(Event.organization_id, Event.created_at, cast(Event.data, Text)).where(
            Event.id == delivery.event_id
        )
        event = (await self._db.execute(query)).one_or_none()
        if event is None:
            return ""
        organization_id, created_at, data = event
        return event_payload(
            delivery.event_id, delivery.event_type, organization_id, created_at, data
        )

    async def attempts(self, delivery_id: UUID) -> Sequence[Attempt]:
        """The newest attempts of a delivery, oldest first."""
        query = (
            select(Attempt)
            .where(Attempt.delivery_id == delivery_id)
            .order_by(Attempt.number.desc())
            .limit(SHOWN_ATTEMPTS)
        )
        return (await self._db.scalars(query)).all()[::-1]

    async def list(
        self, webhook_id: UUID, asked: DeliveryFilter, paging: Paging, cursors: Cursors
    ) -> Page[Delivery]:
        """A page of the deliveries of a webhook that pass a filter, newest first."""
        query = select(Delivery).where(Delivery.webhook_id == webhook_id, *asked.indexed())
        if asked.examines:
            return await fetch_examined(self._db, query, asked, paging, cursors)
        return await fetch_page(self._db, query, NEWEST_DELIVERY_FIRST, paging, cursors)

    async def response_statuses(self, deliveries: Sequence[Delivery]) -> Mapping[UUID, int]:
        """The responses to the latest attempts, by delivery; none if there was no response."""
        asked = tuple_(Attempt.delivery_id, Attempt.number).in_(
            [(one.id, one.attempt_count) for one in deliveries]
        )
        query = select(Attempt.delivery_id, Attempt.response_status).where(asked)
        rows = await self._db.execute(query)
        return {delivery_id: status for delivery_id, status in rows if status is not None}


class EventRepository:
    """The events of organizations."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    async def latest(
        self, organization_id: UUID, types: Collection[str], since: datetime
    ) -> Sequence[Event]:
        """The newest events of some types, at most `SHOWN_EVENTS`, newest first.

        Nothing is looked for beyond the newest `MOST_LOOKED_AT` of all types.
        """
        order = Event.created_at.desc(), Event.id.desc()
        newest = (
            select(Event)
            .where(Event.organization_id == organization_id, Event.created_at >= since)
            .order_by(*order)
            .limit(MOST_LOOKED_AT)
            .subquery()
        )
        event = aliased(Event, newest)
        query = (
            select(event)
            .where(event.type.in_(types))
            .order_by(event.created_at.desc(), event.id.desc())
            .limit(SHOWN_EVENTS)
        )
        return (await self._db.scalars(query)).all()


def _delivery(delivery_id: UUID, organizations: Collection[UUID]) -> Select[Delivery]:
    return select(Delivery).where(
        Delivery.id == delivery_id, Delivery.organization_id.in_(organizations)
    )
