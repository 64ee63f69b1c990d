"""Testing a webhook: one event, to this webhook alone, whatever it subscribes to."""

from __future__ import annotations

import json
from datetime import datetime

import grpc
import pytest
from portico.webhooks.v1 import webhook_service_pb2 as pb

from portico_contract import event_document
from server.features.webhooks.names import DELIVERY_TASK
from tests.core.conftest import Refused
from tests.core.records import audit_entry, event_types
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import World
from tests.support.event_schemas import faults

# No event passes it.
OTHER = {"type": "moon.rose"}


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


async def test_an_example_of_any_event_type_can_be_sent_and_says_that_it_is_a_test(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create("webhook.created", filter=OTHER)).webhook
    for event_type in ("", "webhook.test", "key.revoked", "member.added"):
        sent = await webhook_client.test(webhook.id, event_type)
        delivery = await webhook_client.delivery(sent.id)
        payload = json.loads(delivery.payload)
        assert delivery.event_type == payload["type"] == (event_type or "webhook.test")
        assert payload["test"] is True
        assert payload["organizationId"] == webhook_client.organization_id
        assert faults(payload) == []
    assert payload["data"] == event_document("member.added").example["data"]


async def test_no_other_webhook_is_told(webhook_client: WebhookClient, world: World) -> None:
    """There is no event, and so nothing that another webhook or a replay could find."""
    webhook = (await webhook_client.create()).webhook
    await webhook_client.create("*")
    before = await event_types(world, webhook_client.organization_id)
    await webhook_client.test(webhook.id)
    await webhook_client.test(webhook.id, "key.created")
    assert await event_types(world, webhook_client.organization_id) == before


@pytest.mark.parametrize(
    ("event_type", "reason"),
    [
        ("key.melted", "EVENT_TYPE_UNKNOWN"),
        ("user.created", "EVENT_TYPE_OF_OPERATOR"),
        ("*", "STRING_PATTERN"),
        ("../descriptor", "STRING_PATTERN"),
    ],
)
async def test_a_type_that_never_occurs_here_is_refused(
    webhook_client: WebhookClient, refused: Refused, event_type: str, reason: str
) -> None:
    webhook = (await webhook_client.create()).webhook
    attempt = webhook_client.test(webhook.id, event_type)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert (found.fields, found.reasons) == (("event_type",), (reason,))


async def test_who_may_not_read_events_of_a_type_sends_none(
    webhook_client: WebhookClient, world: World, refused: Refused
) -> None:
    webhook = (await webhook_client.create("webhook.created")).webhook
    organization_id, owner = webhook_client.organization_id, webhook_client.owner
    key = await world.new_key(organization_id, owner, "webhooks:read", "webhooks:write")
    metadata = await world.key_metadata(key.secret)
    request = pb.TestWebhookRequest(webhook_id=webhook.id, event_type="key.created")
    attempt = world.webhooks.TestWebhook(request, metadata=metadata)
    found = await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSIONS_EXCEEDED")
    assert found.metadata == {"permissions": "keys:read"}
    request = pb.TestWebhookRequest(webhook_id=webhook.id, event_type="webhook.created")
    await world.webhooks.TestWebhook(request, metadata=metadata)


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
