"""Webhooks and their deliveries: the verbs. Each looks, decides and answers."""

from __future__ import annotations

from dataclasses import dataclass

from portico.webhooks.v1 import webhook_service_pb2 as pb
from portico.webhooks.v1.webhook_pb2 import Delivery as DeliveryMessage
from portico.webhooks.v1.webhook_pb2 import EventType
from portico.webhooks.v1.webhook_pb2 import Webhook as WebhookMessage

from server.kit.call import Call
from server.kit.changes import changed_fields
from server.kit.contract import as_json, event_types
from server.kit.ids import new_id, parse_id
from server.kit.outbox import Event
from server.kit.paging import Cursors
from server.kit.secrets import Secrets
from server.kit.tasks import DELIVERY_TASK
from server.webhooks import wire
from server.webhooks.addresses import AddressPolicy
from server.webhooks.catalog import DESCRIPTIONS, TEST_EVENT, require_known
from server.webhooks.errors import DeliveryNotFoundError, WebhookNotFoundError
from server.webhooks.fanout import event_payload
from server.webhooks.models import Delivery, Webhook
from server.webhooks.repository import DeliveryRepository, WebhookRepository
from server.webhooks.secret import new_secret, seal


@dataclass(frozen=True, slots=True)
class WebhookService:
    """Serves portico.webhooks.v1.WebhookService."""

    secrets: Secrets
    cursors: Cursors
    addresses: AddressPolicy

    async def CreateWebhook(
        self, request: pb.CreateWebhookRequest, call: Call
    ) -> pb.CreateWebhookResponse:
        self.addresses.check_url(request.url)
        require_known(request.event_types)
        secret = new_secret()
        webhook = self._new_webhook(request, secret)
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
            webhooks=[wire.webhook(row) for row in page.rows],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def GetWebhook(self, request: pb.GetWebhookRequest, call: Call) -> pb.GetWebhookResponse:
        webhook = await _find(request.webhook_id, call)
        call.etag(webhook.version)
        return pb.GetWebhookResponse(webhook=wire.webhook(webhook))

    async def UpdateWebhook(
        self, request: pb.UpdateWebhookRequest, call: Call
    ) -> pb.UpdateWebhookResponse:
        webhook = await _find_to_change(request.webhook_id, call)
        if request.HasField("url"):
            self.addresses.check_url(request.url)
        require_known(request.event_types)
        _apply(request, webhook)
        return pb.UpdateWebhookResponse(webhook=await _changed("webhook.updated", webhook, call))

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
        secret = new_secret()
        webhook.sealed_secret = seal(self.secrets, secret)
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
            deliveries=[wire.delivery(row) for row in page.rows],
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
        attempts = await repository.attempts(delivery.id)
        return pb.GetDeliveryResponse(delivery=wire.whole_delivery(delivery, attempts))

    async def RedeliverDelivery(
        self, request: pb.RedeliverDeliveryRequest, call: Call
    ) -> pb.RedeliverDeliveryResponse:
        repository = DeliveryRepository(call.db)
        delivery = await repository.find_to_change(parse_id(request.delivery_id), call.tenants)
        if delivery is None:
            raise DeliveryNotFoundError
        call.authorize(delivery.organization_id)
        delivery.redeliver(call.now)
        shown = _sent("delivery.redelivered", delivery, call)
        return pb.RedeliverDeliveryResponse(delivery=shown)

    async def ListEventTypes(
        self, request: pb.ListEventTypesRequest, call: Call
    ) -> pb.ListEventTypesResponse:
        return pb.ListEventTypesResponse(
            event_types=[
                EventType(name=name, description=DESCRIPTIONS[name]) for name in event_types()
            ]
        )

    def _new_webhook(self, request: pb.CreateWebhookRequest, secret: str) -> Webhook:
        return Webhook(
            id=new_id(),
            organization_id=parse_id(request.organization_id),
            url=request.url,
            event_types=sorted(request.event_types),
            description=request.description,
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


def _apply(request: pb.UpdateWebhookRequest, webhook: Webhook) -> None:
    changed = changed_fields(request)
    if "url" in changed:
        webhook.url = request.url
    if "event_types" in changed:
        webhook.event_types = sorted(request.event_types)
    if "description" in changed:
        webhook.description = request.description
    if "enabled" in changed:
        webhook.enabled = request.enabled


async def _changed(action: str, webhook: Webhook, call: Call) -> WebhookMessage:
    """Records a change, if it is one, and shows the webhook as it is now."""
    await call.db.flush()
    await call.db.refresh(webhook)
    call.etag(webhook.version)
    if not call.changed(webhook.version):
        return wire.webhook(webhook)
    return _record(action, webhook, call)


def _record(action: str, webhook: Webhook, call: Call) -> WebhookMessage:
    shown = wire.webhook(webhook)
    call.record(action, organization_id=webhook.organization_id, target_id=webhook.id, data=shown)
    return shown


def _sent(action: str, delivery: Delivery, call: Call) -> DeliveryMessage:
    """Records that somebody sent a delivery on its way, and wakes the workers for it."""
    shown = wire.delivery(delivery)
    call.record(action, organization_id=delivery.organization_id, target_id=delivery.id, data=shown)
    call.wakes.add(DELIVERY_TASK)
    return shown


def _test_event(webhook: Webhook, call: Call) -> Event:
    """An event that is fanned out already: it is for this webhook and for no other."""
    return Event(
        id=new_id(),
        organization_id=webhook.organization_id,
        type=TEST_EVENT,
        data=as_json(wire.webhook(webhook)),
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
        payload=event_payload(event),
        next_attempt_at=call.now,
    )
