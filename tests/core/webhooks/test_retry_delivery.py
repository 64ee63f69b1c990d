"""Having the next attempt of a pending delivery made now."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import grpc
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.webhooks.delivery_queue import (
    AttemptResult,
    claim_due,
    outcome,
    record_attempt,
)
from server.features.webhooks.names import DELIVERY_TASK
from tests.core.conftest import Refused
from tests.core.records import audit_entry
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import World

STATE = grpc.StatusCode.FAILED_PRECONDITION


async def claim_all(client: WebhookClient, webhook_id: str, fail: bool = False) -> None:
    """A worker begins to send what is due, and fails if it has to."""
    now = client.world.clock()
    async with AsyncSession(client.world.engine) as db, db.begin():
        until = now + timedelta(seconds=30)
        for claim in await claim_due(db, {UUID(webhook_id): 100}, now=now, until=until):
            came = outcome(claim, AttemptResult(now, 1, 500), now + timedelta(hours=1))
            assert not fail or await record_attempt(db, came)


async def test_the_next_attempt_is_due_and_the_rest_of_the_schedule_stays(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook_id = (await webhook_client.create("key.updated", ordering="webhook")).webhook.id
    await webhook_client.happen("a", "b")
    first, second = await webhook_client.deliveries(webhook_id)
    await claim_all(webhook_client, webhook_id, fail=True)
    world.notifier.tasks.clear()
    retried = (await webhook_client.retry(first.id)).delivery
    assert (retried.status, retried.attempt_count) == ("pending", 1)
    assert retried.next_attempt_at.ToDatetime() <= world.clock().replace(tzinfo=None)
    assert DELIVERY_TASK in world.notifier.tasks
    entry = await audit_entry(world, webhook_client.organization_id, "delivery.retried")
    assert str(entry.target_id) == first.id
    assert (await webhook_client.delivery(second.id)).blocked_by == first.id


async def test_what_waits_for_others_is_not_retried(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    webhook_id = (await webhook_client.create("key.updated", ordering="webhook")).webhook.id
    await webhook_client.happen("a", "b")
    _, second = await webhook_client.deliveries(webhook_id)
    await refused(webhook_client.retry(second.id), STATE, "DELIVERY_BLOCKED")


async def test_what_cannot_be_retried_says_why(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    webhook_id = (await webhook_client.create("key.updated")).webhook.id
    delivery = await webhook_client.test(webhook_id)
    await claim_all(webhook_client, webhook_id)
    await refused(webhook_client.retry(delivery.id), STATE, "DELIVERY_IN_PROGRESS")
    ended = await webhook_client.test(webhook_id)
    await webhook_client.attempt(ended.id, 200)
    await refused(webhook_client.retry(ended.id), STATE, "DELIVERY_NOT_PENDING")
    await webhook_client.update(webhook_id, enabled=False)
    await refused(webhook_client.retry(delivery.id), STATE, "WEBHOOK_DISABLED")
