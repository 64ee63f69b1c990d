"""Sending a delivery once more."""

from __future__ import annotations

import grpc
import pytest

from server.features.webhooks.names import DELIVERY_TASK
from tests.core.calls import race
from tests.core.conftest import Refused
from tests.core.records import audit_entry
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import World


@pytest.mark.parametrize(("answer", "ended"), [(500, "failed"), (204, "delivered")])
async def test_what_has_ended_is_sent_again_at_once(
    webhook_client: WebhookClient, world: World, answer: int, ended: str
) -> None:
    delivery = await webhook_client.test((await webhook_client.create()).webhook.id)
    await webhook_client.attempt(delivery.id, answer)
    assert (await webhook_client.delivery(delivery.id)).status == ended
    world.notifier.tasks.clear()
    again = (await webhook_client.redeliver(delivery.id)).delivery
    # The id stays, for it is by its id that a receiver knows a repetition.
    assert (again.id, again.status, again.attempt_count) == (delivery.id, "pending", 1)
    assert again.HasField("next_attempt_at")
    assert not again.HasField("delivered_at")
    assert DELIVERY_TASK in world.notifier.tasks
    entry = await audit_entry(world, webhook_client.organization_id, "delivery.redelivered")
    assert str(entry.target_id) == delivery.id


async def test_attempts_are_kept_and_counted_on(webhook_client: WebhookClient) -> None:
    delivery = await webhook_client.test((await webhook_client.create()).webhook.id)
    for answer in (500, 502, 204):
        await webhook_client.attempt(delivery.id, answer)
        if answer != 204:
            await webhook_client.redeliver(delivery.id)
    shown = await webhook_client.delivery(delivery.id)
    attempts = [(one.number, one.response_status) for one in shown.attempts]
    assert attempts == [(1, 500), (2, 502), (3, 204)]


async def test_what_is_on_its_way_is_not_sent_twice(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    delivery = await webhook_client.test((await webhook_client.create()).webhook.id)
    attempt = webhook_client.redeliver(delivery.id)
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "DELIVERY_PENDING")


async def test_of_two_who_ask_at_once_one_is_heard(webhook_client: WebhookClient) -> None:
    delivery = await webhook_client.test((await webhook_client.create()).webhook.id)
    await webhook_client.attempt(delivery.id, 500)
    answers, reasons = await race(*(webhook_client.redeliver(delivery.id) for _ in range(4)))
    assert (len(answers), reasons) == (1, ["DELIVERY_PENDING"] * 3)
