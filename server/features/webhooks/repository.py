"""The questions that the service asks about webhooks and deliveries, one query each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Select, Text, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.paging import Cursors, Order, Page, Paging, fetch_page
from server.common.records import Event
from server.features.webhooks.models import Attempt, Delivery, Webhook
from server.features.webhooks.payload import event_payload

# Attempts that are shown of a delivery.
SHOWN_ATTEMPTS = 100
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
        self, webhook_id: UUID, status: str, paging: Paging, cursors: Cursors
    ) -> Page[Delivery]:
        """A page of a webhook's deliveries, newest first; of one status, unless it is ""."""
        query = select(Delivery).where(Delivery.webhook_id == webhook_id)
        if status:
            query = query.where(Delivery.status == status)
        return await fetch_page(self._db, query, NEWEST_DELIVERY_FIRST, paging, cursors)


def _delivery(delivery_id: UUID, organizations: Collection[UUID]) -> Select[Delivery]:
    return select(Delivery).where(
        Delivery.id == delivery_id, Delivery.organization_id.in_(organizations)
    )
