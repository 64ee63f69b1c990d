"""Giving up a pending delivery: the next of its line goes."""

from __future__ import annotations

import grpc

from server.features.webhooks.names import DELIVERY_TASK
from tests.core.calls import race
from tests.core.conftest import Refused
from tests.core.records import audit_entry
from tests.core.webhooks.conftest import WebhookClient
from tests.core.webhooks.test_retry_delivery import claim_all
from tests.core.world import World


async def test_what_is_skipped_is_failed_and_the_next_goes(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook_id = (await webhook_client.create("key.updated", ordering="webhook")).webhook.id
    await webhook_client.happen("a", "b", "c")
    first, second, third = await webhook_client.deliveries(webhook_id)
    world.notifier.tasks.clear()
    # Whoever waits in the middle can be skipped, too.
    await webhook_client.skip(second.id)
    entry = await audit_entry(world, webhook_client.organization_id, "delivery.skipped")
    assert str(entry.target_id) == second.id
    skipped = (await webhook_client.skip(first.id)).delivery
    assert (skipped.status, skipped.attempt_count) == ("failed", 0)
    assert not skipped.HasField("next_attempt_at")
    assert DELIVERY_TASK in world.notifier.tasks
    await webhook_client.work()
    assert (await webhook_client.delivery(third.id)).waiting_for == ""
    # It can be sent later all the same, out of turn.
    assert (await webhook_client.redeliver(first.id)).delivery.status == "pending"
    assert (await webhook_client.delivery(third.id)).waiting_for == ""


async def test_what_has_ended_or_is_being_sent_is_not_skipped(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    webhook_id = (await webhook_client.create("key.updated")).webhook.id
    delivery = await webhook_client.test(webhook_id)
    await claim_all(webhook_client, webhook_id)
    state = grpc.StatusCode.FAILED_PRECONDITION
    await refused(webhook_client.skip(delivery.id), state, "DELIVERY_IN_PROGRESS")
    ended = await webhook_client.test(webhook_id)
    await webhook_client.attempt(ended.id, 200)
    await refused(webhook_client.skip(ended.id), state, "DELIVERY_NOT_PENDING")


async def test_of_two_who_skip_at_once_one_is_heard(webhook_client: WebhookClient) -> None:
    delivery = await webhook_client.test((await webhook_client.create()).webhook.id)
    answers, reasons = await race(*(webhook_client.skip(delivery.id) for _ in range(4)))
    assert (len(answers), reasons) == (1, ["DELIVERY_NOT_PENDING"] * 3)
