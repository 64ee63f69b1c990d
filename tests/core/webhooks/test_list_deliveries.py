"""Listing deliveries: newest first, all or those of one status."""

from __future__ import annotations

import grpc
from portico.webhooks.v1 import webhook_service_pb2 as pb

from tests.core.calls import pages
from tests.core.conftest import Refused
from tests.core.webhooks.conftest import WebhookClient


async def listed(
    webhook_client: WebhookClient,
    webhook_id: str,
    limit: int = 20,
    cursor: str = "",
    status: str = "",
) -> pb.ListDeliveriesResponse:
    request = pb.ListDeliveriesRequest(
        webhook_id=webhook_id, limit=limit, cursor=cursor, status=status
    )
    return await webhook_client.world.webhooks.ListDeliveries(
        request, metadata=webhook_client.owner.metadata
    )


async def test_pages_hold_every_delivery_once_newest_first(webhook_client: WebhookClient) -> None:
    webhook = (await webhook_client.create()).webhook
    made = [(await webhook_client.test(webhook.id)).id for _ in range(5)]
    found = await pages(lambda cursor: listed(webhook_client, webhook.id, 2, cursor))
    assert [len(page.deliveries) for page in found] == [2, 2, 1]
    assert [one.id for page in found for one in page.deliveries] == made[::-1]


async def test_a_status_narrows_the_list(webhook_client: WebhookClient) -> None:
    webhook = (await webhook_client.create()).webhook
    ends = {"delivered": 204, "failed": 500, "pending": None}
    made = {status: await webhook_client.test(webhook.id) for status in ends}
    for status in ("delivered", "failed"):
        await webhook_client.attempt(made[status].id, ends[status])
    for status, delivery in made.items():
        (found,) = (await listed(webhook_client, webhook.id, status=status)).deliveries
        assert (found.id, found.status) == (delivery.id, status)


async def test_a_list_shows_neither_payload_nor_attempts(webhook_client: WebhookClient) -> None:
    webhook = (await webhook_client.create()).webhook
    await webhook_client.attempt((await webhook_client.test(webhook.id)).id, 500, body="no")
    (found,) = (await listed(webhook_client, webhook.id)).deliveries
    assert (found.payload, list(found.attempts), found.attempt_count) == ("", [], 1)


async def test_deliveries_of_another_webhook_are_not_listed(webhook_client: WebhookClient) -> None:
    await webhook_client.test((await webhook_client.create()).webhook.id)
    assert not (await listed(webhook_client, (await webhook_client.create()).webhook.id)).deliveries


async def test_a_cursor_belongs_to_its_filter(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    webhook = (await webhook_client.create()).webhook
    for _ in range(2):
        await webhook_client.test(webhook.id)
    cursor = (await listed(webhook_client, webhook.id, 1, status="pending")).next_cursor
    attempt = listed(webhook_client, webhook.id, 1, cursor, status="failed")
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("cursor",)
    assert (await listed(webhook_client, webhook.id, 5, cursor, status="pending")).deliveries


async def test_an_unknown_status_is_named(webhook_client: WebhookClient, refused: Refused) -> None:
    attempt = listed(webhook_client, (await webhook_client.create()).webhook.id, status="lost")
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("status",)
