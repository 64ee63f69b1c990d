"""What the tests of webhooks share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import pytest
from portico.webhooks.v1 import webhook_service_pb2 as pb
from portico.webhooks.v1.webhook_pb2 import Delivery, Webhook
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import new_id
from server.common.records import Event
from server.features.webhooks.delivery_queue import (
    AttemptResult,
    claim_due,
    outcome,
    record_attempt,
)
from server.features.webhooks.fanout import fan_out
from server.features.webhooks.ordering import unblock
from tests.core.world import Person, World
from tests.support.event_schemas import example_data

URL = "https://example.com/hook"


@dataclass(frozen=True)
class WebhookClient:
    """The webhooks of an organization, as its owner and the worker see them."""

    world: World
    organization_id: str
    owner: Person

    async def create(self, *event_types: str, **fields: Any) -> pb.CreateWebhookResponse:
        """A new webhook, by default for all events."""
        request = pb.CreateWebhookRequest(
            organization_id=self.organization_id,
            event_types=event_types or ("*",),
            **{"url": URL, **fields},
        )
        return await self.world.webhooks.CreateWebhook(request, metadata=self.owner.metadata)

    async def get(self, webhook_id: str) -> Webhook:
        """The webhook as the owner sees it."""
        request = pb.GetWebhookRequest(webhook_id=webhook_id)
        answer = await self.world.webhooks.GetWebhook(request, metadata=self.owner.metadata)
        return answer.webhook

    async def update(self, webhook_id: str, **fields: Any) -> pb.UpdateWebhookResponse:
        """The owner changes a webhook."""
        request = pb.UpdateWebhookRequest(webhook_id=webhook_id, **fields)
        return await self.world.webhooks.UpdateWebhook(request, metadata=self.owner.metadata)

    async def test(self, webhook_id: str, event_type: str = "") -> Delivery:
        """The owner asks for a test event."""
        request = pb.TestWebhookRequest(webhook_id=webhook_id, event_type=event_type)
        answer = await self.world.webhooks.TestWebhook(request, metadata=self.owner.metadata)
        return answer.delivery

    async def rotate(
        self, webhook_id: str, overlap_seconds: int | None = None
    ) -> pb.RotateWebhookSecretResponse:
        """The owner has a new secret made."""
        request = pb.RotateWebhookSecretRequest(
            webhook_id=webhook_id, overlap_seconds=overlap_seconds
        )
        return await self.world.webhooks.RotateWebhookSecret(request, metadata=self.owner.metadata)

    async def delivery(self, delivery_id: str) -> Delivery:
        """The delivery with its attempts."""
        request = pb.GetDeliveryRequest(delivery_id=delivery_id)
        answer = await self.world.webhooks.GetDelivery(request, metadata=self.owner.metadata)
        return answer.delivery

    async def redeliver(self, delivery_id: str) -> pb.RedeliverDeliveryResponse:
        """The owner has a delivery sent once more."""
        request = pb.RedeliverDeliveryRequest(delivery_id=delivery_id)
        return await self.world.webhooks.RedeliverDelivery(request, metadata=self.owner.metadata)

    async def retry(self, delivery_id: str) -> pb.RetryDeliveryResponse:
        """The owner has the next attempt made now."""
        request = pb.RetryDeliveryRequest(delivery_id=delivery_id)
        return await self.world.webhooks.RetryDelivery(request, metadata=self.owner.metadata)

    async def skip(self, delivery_id: str) -> pb.SkipDeliveryResponse:
        """The owner has a delivery given up."""
        request = pb.SkipDeliveryRequest(delivery_id=delivery_id)
        return await self.world.webhooks.SkipDelivery(request, metadata=self.owner.metadata)

    async def deliveries(self, webhook_id: str) -> list[Delivery]:
        """The deliveries of a webhook, in the order of their events."""
        request = pb.ListDeliveriesRequest(webhook_id=webhook_id)
        answer = await self.world.webhooks.ListDeliveries(request, metadata=self.owner.metadata)
        return sorted(answer.deliveries, key=lambda each: each.id)

    async def happen(self, *things: str) -> None:
        """Events about these things, and their deliveries."""
        async with AsyncSession(self.world.engine) as db, db.begin():
            for place, thing in enumerate(things):
                at = self.world.clock() + timedelta(microseconds=place)
                organization = UUID(self.organization_id)
                event = Event(organization_id=organization, type="key.updated", created_at=at)
                about = str(uuid5(NAMESPACE_OID, thing))
                event.id, event.data = new_id(), {**example_data("key.updated"), "id": about}
                db.add(event)
        more = True
        while more:
            async with AsyncSession(self.world.engine) as db, db.begin():
                more = (await fan_out(db, self.world.clock(), 100)).count > 0

    async def work(self) -> None:
        """What the workers do with what waits for others that have ended."""
        async with AsyncSession(self.world.engine) as db, db.begin():
            await unblock(db, self.world.clock())

    async def attempt(
        self, delivery_id: str, status: int | None, *, body: str = "", error: str = ""
    ) -> None:
        """What the worker does: claims what is due and writes down an attempt, the last one."""
        now = self.world.clock()
        # Other deliveries to it are due as well; their claims run out at once.
        until = now + timedelta(microseconds=1)
        async with AsyncSession(self.world.engine) as db, db.begin():
            turns = {UUID((await self.delivery(delivery_id)).webhook_id): 10_000}
            claims = await claim_due(db, turns, now=now, until=until)
            (claim,) = [one for one in claims if str(one.delivery_id) == delivery_id]
            result = AttemptResult(now, 12, status, body, error)
            assert await record_attempt(db, outcome(claim, result, retry_at=None))


@pytest.fixture
async def webhook_client(world: World, owner: Person, organization_id: str) -> WebhookClient:
    """The webhooks of the owner's organization."""
    return WebhookClient(world, organization_id, owner)
