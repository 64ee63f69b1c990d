"""Webhooks and their deliveries: the verbs. Each looks, decides and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from portico.webhooks.v1 import webhook_service_pb2 as pb
from portico.webhooks.v1.webhook_pb2 import Delivery as DeliveryMessage
from portico.webhooks.v1.webhook_pb2 import Webhook as WebhookMessage
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.call import Call
from portico_kit.changes import changed_fields
from portico_kit.clock import requested_moment
from portico_kit.errors import NotFoundError
from portico_kit.ids import new_id, parse_id
from portico_kit.paging import Cursors
from portico_kit.secrets import Secrets
from server.common.times import KEPT
from server.features.webhooks import messages
from server.features.webhooks.delivery_filter import DeliveryFilter
from server.features.webhooks.errors import (
    DeliveryNotFoundError,
    EventTypeNotFoundError,
    WebhookDisabledError,
    WebhookLimitReachedError,
    WebhookNotFoundError,
)
from server.features.webhooks.event_documents import document_of
from server.features.webhooks.event_types import TEST_EVENT, EventTypes
from server.features.webhooks.models import ALL_EVENTS, REQUESTED, UNORDERED, Delivery, Webhook
from server.features.webhooks.names import DELIVERY_TASK
from server.features.webhooks.pace import (
    change_pace,
    require_one_order,
    require_order_by,
    show_what_it_waits_for,
)
from server.features.webhooks.previews import preview, require_filter, stored_filter
from server.features.webhooks.repository import (
    DeliveryRepository,
    EventRepository,
    WebhookRepository,
)
from server.features.webhooks.resolution import Destinations
from server.features.webhooks.sample_deliveries import sample_delivery
from server.features.webhooks.secret import new_secret, seal
from server.features.webhooks.settings import Settings, require_headers_again
from server.features.webhooks.signing_keys import V1, V1A, new_key_pair
from server.features.webhooks.statistics import (
    DEFAULT_WINDOW,
    WINDOWS,
    count_attempts,
    look_at_queue,
)

# How many webhooks an organization may have, by its tier.
MAX_WEBHOOKS: Mapping[str, int] = {"free": 10, "basic": 25, "pro": 50, "enterprise": 100}
DEFAULT_OVERLAP = timedelta(days=1)
# How long anybody may keep the public keys of an organization.
KEYS_CACHED = timedelta(minutes=5)
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
    settings: Settings

    async def CreateWebhook(
        self, request: pb.CreateWebhookRequest, call: Call
    ) -> pb.CreateWebhookResponse:
        # Before the transaction: nobody else waits for a connection while a name is looked up.
        url = await self.destinations.check(request.url)
        organization_id = parse_id(request.organization_id)
        self.event_types.require_known(request.event_types, organization_id)
        if request.all_organizations:
            self.event_types.require_operator(organization_id)
        require_order_by(request.ordering, request.order_by)
        require_filter(request)
        secret = new_secret()
        webhook = self._new_webhook(request, url, secret)
        require_one_order(webhook)
        self.event_types.require_usable(webhook, webhook.event_types, call)
        await self._require_room(organization_id, call)
        # Nobody is shown a secret that nothing is signed with.
        shown_secret = secret if webhook.signing != V1A else ""
        WebhookRepository(call.db).add(webhook)
        await call.db.flush()
        shown = _record("webhook.created", webhook, call)
        call.location(f"/api/v1/webhooks/{webhook.id}")
        return pb.CreateWebhookResponse(webhook=shown, secret=shown_secret)

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
        if url is not None:
            require_headers_again(webhook, url, changed)
        self.settings.apply(request, changed, webhook)
        require_filter(request)
        was_enabled = webhook.enabled
        _apply(request, url, webhook, call.now)
        await change_pace(request, webhook, call)
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
        event_type = request.event_type or TEST_EVENT
        self.event_types.require_type(event_type, webhook.organization_id)
        needed = [*webhook.event_types, event_type]
        self.event_types.require_usable(webhook, needed, call)
        if not webhook.enabled:
            raise WebhookDisabledError
        delivery = sample_delivery(event_type, webhook, call)
        DeliveryRepository(call.db).add(delivery)
        await call.db.flush()
        shown = _sent("webhook.tested", delivery, call)
        return pb.TestWebhookResponse(delivery=shown)

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, call: Call
    ) -> pb.RotateWebhookSecretResponse:
        webhook = await _find_to_change(request.webhook_id, call)
        self.event_types.require_usable(webhook, webhook.event_types, call)
        replaced = request.signing or webhook.signing
        overlap = (
            timedelta(seconds=request.overlap_seconds)
            if request.HasField("overlap_seconds")
            else DEFAULT_OVERLAP
        )
        secret = new_secret() if replaced != V1A else ""
        if secret:
            webhook.replace_secret(seal(self.secrets, secret), call.now, overlap)
        if replaced != V1:
            webhook.replace_key_pair(new_key_pair(self.secrets), call.now, overlap)
        shown = await _changed("webhook.secret_rotated", webhook, call)
        return pb.RotateWebhookSecretResponse(webhook=shown, secret=secret)

    async def GetWebhookStatistics(
        self, request: pb.GetWebhookStatisticsRequest, call: Call
    ) -> pb.GetWebhookStatisticsResponse:
        webhook = await _find(request.webhook_id, call)
        window = WINDOWS[request.window or DEFAULT_WINDOW]
        parts = await count_attempts(call.db, webhook.id, window, window.since(call.now))
        queue = await look_at_queue(call.db, webhook.id)
        shown = messages.statistics(webhook, window, parts, queue, call.now)
        return pb.GetWebhookStatisticsResponse(statistics=shown)

    async def GetWebhookKeySet(
        self, request: pb.GetWebhookKeySetRequest, call: Call
    ) -> pb.GetWebhookKeySetResponse:
        # An unknown organization has no keys either: nobody finds out here which there are.
        found = await WebhookRepository(call.db).list_public_keys(parse_id(request.organization_id))
        call.cache_publicly(KEYS_CACHED)
        return pb.GetWebhookKeySetResponse(
            keys=[key for keys in found for key in messages.web_keys(keys, call.now)]
        )

    async def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, call: Call
    ) -> pb.ListDeliveriesResponse:
        paging = self.cursors.paging(request)
        webhook = await _find(request.webhook_id, call)
        repository = DeliveryRepository(call.db)
        page = await repository.list(webhook.id, _filter(request), paging, self.cursors)
        responses = await repository.response_statuses(page.rows)
        return pb.ListDeliveriesResponse(
            deliveries=[
                messages.listed_delivery(row, webhook, responses, call.now) for row in page.rows
            ],
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
        await show_what_it_waits_for(shown, delivery, call)
        return pb.GetDeliveryResponse(delivery=shown)

    async def RedeliverDelivery(
        self, request: pb.RedeliverDeliveryRequest, call: Call
    ) -> pb.RedeliverDeliveryResponse:
        delivery = await self._delivery_to_change(request.delivery_id, call)
        await _require_enabled(delivery, call)
        delivery.redeliver(call.now)
        shown = _sent("delivery.redelivered", delivery, call)
        return pb.RedeliverDeliveryResponse(delivery=shown)

    async def RetryDelivery(
        self, request: pb.RetryDeliveryRequest, call: Call
    ) -> pb.RetryDeliveryResponse:
        delivery = await self._delivery_to_change(request.delivery_id, call)
        await _require_enabled(delivery, call)
        delivery.retry(call.now)
        shown = _sent("delivery.retried", delivery, call)
        return pb.RetryDeliveryResponse(delivery=shown)

    async def SkipDelivery(
        self, request: pb.SkipDeliveryRequest, call: Call
    ) -> pb.SkipDeliveryResponse:
        delivery = await self._delivery_to_change(request.delivery_id, call)
        delivery.skip(call.now)
        # The workers let the next of its line go.
        shown = _sent("delivery.skipped", delivery, call)
        return pb.SkipDeliveryResponse(delivery=shown)

    async def ListEventTypes(
        self, request: pb.ListEventTypesRequest, call: Call
    ) -> pb.ListEventTypesResponse:
        return pb.ListEventTypesResponse(
            event_types=[
                self.event_types.shown(name) for name in sorted(self.event_types.descriptions)
            ]
        )

    async def _delivery_to_change(self, delivery_id: str, call: Call) -> Delivery:
        """The delivery, locked, if the caller may do this to it and read what it says."""
        repository = DeliveryRepository(call.db)
        delivery = await repository.find_to_change(parse_id(delivery_id), call.tenants)
        if delivery is None:
            raise DeliveryNotFoundError
        call.authorize(delivery.organization_id)
        webhook = await _find(str(delivery.webhook_id), call)
        self.event_types.require_usable(webhook, [delivery.event_type], call)
        return delivery

    async def GetEventType(
        self, request: pb.GetEventTypeRequest, call: Call
    ) -> pb.GetEventTypeResponse:
        if request.name not in self.event_types.descriptions:
            raise EventTypeNotFoundError
        shown, document = self.event_types.shown(request.name), document_of(request.name)
        shown.schema.update(document.schema)
        shown.example.update(document.example)
        return pb.GetEventTypeResponse(event_type=shown)

    async def PreviewFilter(
        self, request: pb.PreviewFilterRequest, call: Call
    ) -> pb.PreviewFilterResponse:
        organization_id = parse_id(request.organization_id)
        named = set(request.event_types) - {ALL_EVENTS}
        self.event_types.require_known(request.event_types, organization_id)
        self.event_types.require_readable(named, organization_id, call)
        passes = require_filter(request)
        readable = self.event_types.readable(organization_id, call)
        events = await EventRepository(call.db).latest(organization_id, readable, call.now - KEPT)
        return preview(events, request.event_types or [ALL_EVENTS], passes)

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
        webhook = Webhook(
            id=new_id(),
            organization_id=parse_id(request.organization_id),
            url=url,
            event_types=sorted(request.event_types),
            description=request.description,
            filter=stored_filter(request),
            all_organizations=request.all_organizations,
            sealed_secret=seal(self.secrets, secret),
            max_per_second=request.max_per_second or None,
            max_in_flight=request.max_in_flight or None,
            ordering=request.ordering or UNORDERED,
            order_by=request.order_by,
            signing=V1,
        )
        given = {field.name for field, _ in request.ListFields()}
        self.settings.apply(request, given, webhook)
        return webhook


async def _require_enabled(delivery: Delivery, call: Call) -> None:
    """Refuses to send a delivery to a webhook that is disabled."""
    if not (await _find(str(delivery.webhook_id), call)).enabled:
        raise WebhookDisabledError


def _filter(request: pb.ListDeliveriesRequest) -> DeliveryFilter:
    """What a list asks for.

    Raises:
        InvalidRequestError: naming a time that is none.
    """
    return DeliveryFilter(
        status=request.status,
        event_type=request.event_type,
        since=requested_moment(request, "since"),
        until=requested_moment(request, "until"),
        response_status=request.response_status,
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
        webhook.move(url)
    if "event_types" in changed:
        webhook.event_types = sorted(request.event_types)
    if "description" in changed:
        webhook.description = request.description
    if "filter" in changed:
        webhook.filter = stored_filter(request)
    if "enabled" in changed and request.enabled != webhook.enabled:
        if request.enabled:
            webhook.enable(now)
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
