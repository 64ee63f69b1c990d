"""Testing a webhook: one event, to this webhook alone, whatever it subscribes to."""

from __future__ import annotations

import json
from datetime import datetime

import grpc
import pytest

from server.features.webhooks.names import DELIVERY_TASK
from tests.core.conftest import Refused
from tests.core.records import audit_entry, event
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import World


@pytest.mark.parametrize("subscribed", ["key.created", "*"])
async def test_a_delivery_is_on_its_way_at_once(
    webhook_client: WebhookClient, world: World, subscribed: str
) -> None:
    webhook = (await webhook_client.create(subscribed)).webhook
    world.notifier.tasks.clear()
    delivery = await webhook_client.test(webhook.id)
    assert (delivery.webhook_id, delivery.event_type) == (webhook.id, "webhook.test")
    assert (delivery.status, delivery.attempt_count) == ("pending", 0)
    assert delivery.HasField("next_attempt_at")
    assert DELIVERY_TASK in world.notifier.tasks


async def test_what_is_posted_says_what_happened_when_and_where(
    webhook_client: WebhookClient,
) -> None:
    webhook = (await webhook_client.create()).webhook
    delivery = await webhook_client.delivery((await webhook_client.test(webhook.id)).id)
    payload = json.loads(delivery.payload)
    assert (payload["type"], payload["id"]) == ("webhook.test", delivery.event_id)
    assert payload["organizationId"] == webhook_client.organization_id
    assert (payload["data"]["id"], payload["data"]["url"]) == (webhook.id, "https://example.com/…")
    assert datetime.fromisoformat(payload["timestamp"]).tzinfo is not None


async def test_no_other_webhook_is_told(webhook_client: WebhookClient, world: World) -> None:
    webhook = (await webhook_client.create()).webhook
    await webhook_client.create("*")
    await webhook_client.test(webhook.id)
    told = await event(world, webhook_client.organization_id, "webhook.test")
    assert told.fanned_out_at is not None


async def test_it_is_written_down_who_asked(webhook_client: WebhookClient, world: World) -> None:
    delivery = await webhook_client.test((await webhook_client.create()).webhook.id)
    entry = await audit_entry(world, webhook_client.organization_id, "webhook.tested")
    assert (str(entry.actor_id), str(entry.target_id)) == (webhook_client.owner.id, delivery.id)


async def test_a_disabled_webhook_is_neither_tested_nor_sent_to_again(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    webhook = (await webhook_client.create()).webhook
    delivery = await webhook_client.test(webhook.id)
    await webhook_client.attempt(delivery.id, 500)
    disabled = (await webhook_client.update(webhook.id, enabled=False)).webhook
    assert (disabled.disabled_reason, disabled.HasField("disabled_at")) == ("requested", True)
    for attempt in (webhook_client.test(webhook.id), webhook_client.redeliver(delivery.id)):
        await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "WEBHOOK_DISABLED")
    enabled = (await webhook_client.update(webhook.id, enabled=True)).webhook
    assert (enabled.disabled_reason, enabled.HasField("disabled_at")) == ("", False)
    await webhook_client.redeliver(delivery.id)
    await webhook_client.test(webhook.id)


async def test_enabling_wakes_the_workers_for_what_waits(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create()).webhook
    await webhook_client.update(webhook.id, enabled=False)
    world.notifier.tasks.clear()
    await webhook_client.update(webhook.id, enabled=True)
    assert DELIVERY_TASK in world.notifier.tasks
