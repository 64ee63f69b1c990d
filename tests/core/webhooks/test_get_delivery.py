"""Showing a delivery with what came of it."""

from __future__ import annotations

from uuid import UUID

import grpc
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.webhooks.models import Attempt, Delivery
from tests.core.conftest import Refused
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import World


async def test_every_attempt_is_shown_with_its_answer(webhook_client: WebhookClient) -> None:
    delivery = await webhook_client.test((await webhook_client.create()).webhook.id)
    await webhook_client.attempt(delivery.id, 503, body="busy")
    await webhook_client.redeliver(delivery.id)
    await webhook_client.attempt(delivery.id, None, error="The connection was refused.")
    shown = await webhook_client.delivery(delivery.id)
    assert (shown.status, shown.attempt_count) == ("failed", 2)
    assert not shown.HasField("next_attempt_at")
    first, second = shown.attempts
    assert (first.number, first.response_status, first.response_body) == (1, 503, "busy")
    assert first.duration_ms == 12
    assert (second.number, second.response_status) == (2, 0)
    assert second.error == "The connection was refused."


async def test_what_was_accepted_says_when(webhook_client: WebhookClient) -> None:
    delivery = await webhook_client.test((await webhook_client.create()).webhook.id)
    await webhook_client.attempt(delivery.id, 204)
    shown = await webhook_client.delivery(delivery.id)
    assert shown.status == "delivered"
    assert shown.delivered_at.ToDatetime() >= shown.attempts[0].started_at.ToDatetime()


async def test_a_delivery_that_nobody_has_is_not_found(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    attempt = webhook_client.delivery("01890a5d-ac96-774b-bcce-b302099a8057")
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "DELIVERY_NOT_FOUND")


async def test_of_very_many_attempts_the_newest_100_are_shown(
    webhook_client: WebhookClient, world: World
) -> None:
    delivery = await webhook_client.test((await webhook_client.create()).webhook.id)
    await webhook_client.attempt(delivery.id, 500)
    # Each character of these takes three bytes, the most that 2 KB of an answer can become.
    async with AsyncSession(world.engine) as db, db.begin():
        for number in range(2, 1001):
            db.add(
                Attempt(
                    delivery_id=UUID(delivery.id),
                    number=number,
                    started_at=world.clock(),
                    duration_ms=1,
                    response_status=500,
                    response_body="\N{REPLACEMENT CHARACTER}" * 2048,
                )
            )
        changed = update(Delivery).where(Delivery.id == UUID(delivery.id))
        await db.execute(changed.values(attempt_count=1000))
    shown = await webhook_client.delivery(delivery.id)
    assert [one.number for one in shown.attempts] == list(range(901, 1001))
    assert shown.attempt_count == 1000
    assert shown.ByteSize() < 4 * 1024 * 1024 / 4
