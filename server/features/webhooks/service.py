"""Webhooks and their deliveries: the verbs. Each looks, decides and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from portico.webhooks.v1 import webhook_service_pb2 as pb
from portico.webhooks.v1.webhook_pb2 import Delivery as DeliveryMessage
from portico.webhooks.v1.webhook_pb2 import EventType
from portico.webhooks.v1.webhook_pb2 import Webhook as WebhookMessage
from sqlalchemy.ext.asyncio import AsyncSession

from portico_contract import as_json
from portico_kit.call import Call
from portico_kit.changes import changed_fields
from portico_kit.errors import NotFoundError
from portico_kit.ids import new_id, parse_id
from portico_kit.paging import Cursors
from portico_kit.secrets import Secrets
from server.common.records import Event
from server.features.webhooks import messages
from server.features.webhooks.errors import (
    DeliveryNotFoundError,
    WebhookDisabledError,
    WebhookLimitReachedError,
    WebhookNotFoundError,
)
from server.features.webhooks.event_types import TEST_EVENT, EventTypes
from server.features.webhooks.models import REQUESTED, Delivery, Webhook
from server.features.webhooks.names import DELIVERY_TASK
from server.features.webhooks.repository import DeliveryRepository, WebhookRepository
from server.features.webhooks.resolution import Destinations
from server.features.webhooks.secret import new_secret, seal

# How many webhooks an organization may have, by its tier.
MAX_WEBHOOKS: Mapping[str, int] = {"free": 10, "basic": 25, "pro": 50, "enterprise": 100}
DEFAULT_OVERLAP = timedelta(days=1)
WRITE = "webhooks:write"


class Tiers(Protocol):
    """Knows how much organizations may use; the organizations feature does."""

    async def tier(self, db: AsyncSession, organization_id: UUID) -> str | None:
        """The tier of an organization, or None if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookService:
    """Serves portico.webhooks.v1.WebhookService."""

    secrets: Secrets
    cursors: Cursors
    destinations: Destinations
    tiers: Tiers
    event_types: EventTypes

    async def CreateWebhook(
        self, request: pb.CreateWebhookRequest, call: Call
    ) -> pb.CreateWebhookResponse:
        # Before the transaction: nobody else waits for a connection while a name is looked up.
        url = await self.destinations.check(request.url)
        organization_id = parse_id(request.organization_id)
        self.event_types.require_known(request.event_types, organization_id)
        if request.all_organizations:
            self.event_types.require_operator(organization_id)
        secret = new_secret()
        webhook = self._new_webhook(request, url, secret)
        self.event_types.require_usable(webhook, webhook.event_types, call)
        await self._require_room(organization_id, call)
        WebhookRepository(call.db).add(webhook)
        await call.db.flush()
        shown = _record("webhook.created", webhook, call)
        call.location(f"/api/v1/webhooks/{webhook.id}")
        return pb.CreateWebhookResponse(webhook=shown, secret=secret)

    async def ListWebhooks(
        self, request: pb.ListWebhooksRequest, call: Call
    ) -> pb.ListWebhooksResponse:
        paging = self.cursors.paging(request)
        organization_id = parse_id(request.organization_id)
        page = await WebhookRepository(call.db).list(organization_id, paging, self.cursors)
        return pb.ListWebhooksResponse(
            webhooks=[_shown(row, call) for row in page.rows],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def GetWebhook(self, request: pb.GetWebhookRequest, call: Call) -> pb.GetWebhookResponse:
        webhook = await _find(request.webhook_id, call)
        call.etag(webhook.version)
        return pb.GetWebhookResponse(webhook=_shown(webhook, call))

    async def UpdateWebhook(
        self, request: pb.UpdateWebhookRequest, call: Call
    ) -> pb.UpdateWebhookResponse:
        # Before the transaction, see CreateWebhook.
        changed = changed_fields(request)
        url = await self.destinations.check(request.url) if "url" in changed else None
        webhook = await _find_to_change(request.webhook_id, call)
        self.event_types.require_usable(webhook, webhook.event_types, call)
        if "event_types" in changed:
            self.event_types.require_known(request.event_types, webhook.organization_id)
            self.event_types.require_usable(webhook, request.event_types, call)
        was_enabled = webhook.enabled
        _apply(request, url, webhook, call.now)
        shown = await _changed("webhook.updated", webhook, call)
        if was_enabled and not webhook.enabled:
            _record("webhook.disabled", webhook, call)
        if webhook.enabled and not was_enabled:
            call.tasks.add(DELIVERY_TASK)
        return pb.UpdateWebhookResponse(webhook=shown)

    async def DeleteWebhook(
        self, request: pb.DeleteWebhookRequest, call: Call
    ) -> pb.DeleteWebhookResponse:
        webhook = await _find_to_change(request.webhook_id, call)
        _record("webhook.deleted", webhook, call)
        await call.db.delete(webhook)
        return pb.DeleteWebhookResponse()

    async def TestWebhook(
        self, request: pb.TestWebhookRequest, call: Call
    ) -> pb.TestWebhookResponse:
        webhook = await _find(request.webhook_id, call)
        self.event_types.require_usable(webhook, webhook.event_types, call)
        if not webhook.enabled:
            raise WebhookDisabledError
        event = _test_event(webhook, call)
        call.db.add(event)
        delivery = _delivery(event, webhook, call)
        DeliveryRepository(call.db).add(delivery)
        await call.db.flush()
        shown = _sent("webhook.tested", delivery, call)
        return pb.TestWebhookResponse(delivery=shown)

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, call: Call
    ) -> pb.RotateWebhookSecretResponse:
        webhook = await _find_to_change(request.webhook_id, call)
        self.event_types.require_usable(webhook, webhook.event_types, call)
        secret = new_secret()
        overlap = timedelta(seconds=request.overlap_seconds)
        webhook.replace_secret(
            seal(self.secrets, secret),
            call.now,
            overlap if request.HasField("overlap_seconds") else DEFAULT_OVERLAP,
        )
        shown = await _changed("webhook.secret_rotated", webhook, call)
        return pb.RotateWebhookSecretResponse(webhook=shown, secret=secret)

    async def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, call: Call
    ) -> pb.ListDeliveriesResponse:
        paging = self.cursors.paging(request)
        webhook = await _find(request.webhook_id, call)
        page = await DeliveryRepository(call.db).list(
            webhook.id, request.status, paging, self.cursors
        )
        return pb.ListDeliveriesResponse(
            deliveries=[messages.delivery(row) for row in page.rows],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def GetDelivery(
        self, request: pb.GetDeliveryRequest, call: Call
    ) -> pb.GetDeliveryResponse:
        repository = DeliveryRepository(call.db)
        delivery = await repository.find(parse_id(request.delivery_id), call.tenants)
        if delivery is None:
            raise DeliveryNotFoundError
        call.authorize(delivery.organization_id)
        webhook = await _find(str(delivery.webhook_id), call)
        self.event_types.require_usable(webhook, [delivery.event_type], call)
        payload = await repository.payload(delivery)
        attempts = await repository.attempts(delivery.id)
        shown = messages.whole_delivery(delivery, payload, attempts)
        return pb.GetDeliveryResponse(delivery=shown)

    async def RedeliverDelivery(
        self, request: pb.RedeliverDeliveryRequest, call: Call
    ) -> pb.RedeliverDeliveryResponse:
        repository = DeliveryRepository(call.db)
        delivery = await repository.find_to_change(parse_id(request.delivery_id), call.tenants)
        if delivery is None:
            raise DeliveryNotFoundError
        call.authorize(delivery.organization_id)
        webhook = await _find(str(delivery.webhook_id), call)
        self.event_types.require_usable(webhook, [delivery.event_type], call)
        if not webhook.enabled:
            raise WebhookDisabledError
        delivery.redeliver(call.now)
        shown = _sent("delivery.redelivered", delivery, call)
        return pb.RedeliverDeliveryResponse(delivery=shown)

    async def ListEventTypes(
        self, request: pb.ListEventTypesRequest, call: Call
    ) -> pb.ListEventTypesResponse:
        return pb.ListEventTypesResponse(
            event_types=[
                EventType(
                    name=name,
                    description=description,
                    permission=self.event_types.permissions.get(name, ""),
                    platform_permission=self.event_types.platform_permissions.get(name, ""),
                )
                for name, description in sorted(self.event_types.descriptions.items())
            ]
        )

    async def _require_room(self, organization_id: UUID, call: Call) -> None:
        """Refuses another webhook where there are as many as the tier allows."""
        call.authorize(organization_id)
        tier = await self.tiers.tier(call.db, organization_id)
        if tier is None:
            raise NotFoundError
        limit = MAX_WEBHOOKS[tier]
        if await WebhookRepository(call.db).count(organization_id) >= limit:
            raise WebhookLimitReachedError(limit=str(limit))

    def _new_webhook(self, request: pb.CreateWebhookRequest, url: str, secret: str) -> Webhook:
        return Webhook(
            id=new_id(),
            organization_id=parse_id(request.organization_id),
            url=url,
            event_types=sorted(request.event_types),
            description=request.description,
            all_organizations=request.all_organizations,
            sealed_secret=seal(self.secrets, secret),
        )


async def _find(webhook_id: str, call: Call) -> Webhook:
    """The webhook, if it exists for the caller and the caller may do this to it."""
    webhook = await WebhookRepository(call.db).find(parse_id(webhook_id), call.tenants)
    if webhook is None:
        raise WebhookNotFoundError
    call.authorize(webhook.organization_id)
    return webhook


async def _find_to_change(webhook_id: str, call: Call) -> Webhook:
    webhook = await _find(webhook_id, call)
    call.expect(webhook.version)
    return webhook


def _apply(
    request: pb.UpdateWebhookRequest, url: str | None, webhook: Webhook, now: datetime
) -> None:
    changed = changed_fields(request)
    if url is not None:
        webhook.url = url
    if "event_types" in changed:
        webhook.event_types = sorted(request.event_types)
    if "description" in changed:
        webhook.description = request.description
    if "enabled" in changed and request.enabled != webhook.enabled:
        if request.enabled:
            webhook.enable()
        else:
            webhook.disable(REQUESTED, now)


async def _changed(action: str, webhook: Webhook, call: Call) -> WebhookMessage:
    """Records a change, if it is one, and shows the webhook as it is now."""
    await call.db.flush()
    await call.db.refresh(webhook)
    call.etag(webhook.version)
    if not call.changed(webhook.version):
        return messages.webhook(webhook, call.now)
    return _record(action, webhook, call)


def _record(action: str, webhook: Webhook, call: Call) -> WebhookMessage:
    """Records what was done to a webhook, and gives it as those who may change it see it."""
    call.record(
        action,
        organization_id=webhook.organization_id,
        target_id=webhook.id,
        data=messages.redacted_webhook(webhook, call.now),
    )
    return messages.webhook(webhook, call.now)


def _shown(webhook: Webhook, call: Call) -> WebhookMessage:
    """A webhook as the caller may see it: its URL is for those who may change it."""
    may_change = WRITE in call.permissions(webhook.organization_id)
    show = messages.webhook if may_change else messages.redacted_webhook
    return show(webhook, call.now)


def _sent(action: str, delivery: Delivery, call: Call) -> DeliveryMessage:
    """Records that somebody sent a delivery on its way, and wakes the workers for it."""
    shown = messages.delivery(delivery)
    call.record(action, organization_id=delivery.organization_id, target_id=delivery.id, data=shown)
    call.tasks.add(DELIVERY_TASK)
    return shown


def _test_event(webhook: Webhook, call: Call) -> Event:
    """An event that is fanned out already: it is for this webhook and for no other."""
    return Event(
        id=new_id(),
        organization_id=webhook.organization_id,
        type=TEST_EVENT,
        data=as_json(messages.redacted_webhook(webhook, call.now)),
        created_at=call.now,
        fanned_out_at=call.now,
    )


def _delivery(event: Event, webhook: Webhook, call: Call) -> Delivery:
    return Delivery(
        id=new_id(),
        webhook_id=webhook.id,
        organization_id=webhook.organization_id,
        event_id=event.id,
        event_type=event.type,
        next_attempt_at=call.now,
    )
