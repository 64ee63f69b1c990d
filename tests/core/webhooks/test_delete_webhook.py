"""Deleting a webhook, with all of its deliveries."""

from __future__ import annotations

import grpc
from portico.webhooks.v1 import webhook_service_pb2 as pb

from tests.core.calls import if_match
from tests.core.conftest import Refused
from tests.core.records import event
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import World

NOT_FOUND = grpc.StatusCode.NOT_FOUND


async def test_afterwards_neither_it_nor_its_deliveries_exist(
    webhook_client: WebhookClient, world: World, refused: Refused
) -> None:
    webhook = (await webhook_client.create()).webhook
    delivery = await webhook_client.test(webhook.id)
    await webhook_client.attempt(delivery.id, 500)
    request = pb.DeleteWebhookRequest(webhook_id=webhook.id)
    await world.webhooks.DeleteWebhook(request, metadata=webhook_client.owner.metadata)
    await refused(webhook_client.get(webhook.id), NOT_FOUND, "WEBHOOK_NOT_FOUND")
    await refused(webhook_client.delivery(delivery.id), NOT_FOUND, "DELIVERY_NOT_FOUND")
    again = world.webhooks.DeleteWebhook(request, metadata=webhook_client.owner.metadata)
    await refused(again, NOT_FOUND, "WEBHOOK_NOT_FOUND")
    told = await event(world, webhook_client.organization_id, "webhook.deleted")
    assert told.data["id"] == webhook.id


async def test_a_version_that_is_no_longer_the_newest_is_refused(
    webhook_client: WebhookClient, world: World, refused: Refused
) -> None:
    webhook = (await webhook_client.create()).webhook
    await webhook_client.update(webhook.id, enabled=False)
    attempt = world.webhooks.DeleteWebhook(
        pb.DeleteWebhookRequest(webhook_id=webhook.id),
        metadata=if_match(webhook_client.owner, '"1"'),
    )
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert await webhook_client.get(webhook.id)
