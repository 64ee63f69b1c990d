"""Listing webhooks: an organization's own, newest first."""

from __future__ import annotations

import grpc
from portico.webhooks.v1 import webhook_service_pb2 as pb

from tests.core.calls import pages
from tests.core.conftest import Refused
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import Person, World


async def listed(
    webhook_client: WebhookClient, limit: int = 20, cursor: str = ""
) -> pb.ListWebhooksResponse:
    request = pb.ListWebhooksRequest(
        organization_id=webhook_client.organization_id, limit=limit, cursor=cursor
    )
    return await webhook_client.world.webhooks.ListWebhooks(
        request, metadata=webhook_client.owner.metadata
    )


async def test_pages_hold_every_webhook_once_newest_first(webhook_client: WebhookClient) -> None:
    made = [(await webhook_client.create()).webhook for _ in range(5)]
    found = await pages(lambda cursor: listed(webhook_client, 2, cursor))
    assert [len(page.webhooks) for page in found] == [2, 2, 1]
    assert [one for page in found for one in page.webhooks] == made[::-1]


async def test_webhooks_of_other_organizations_are_not_listed(
    webhook_client: WebhookClient, world: World, stranger: Person
) -> None:
    await WebhookClient(world, await world.new_organization(stranger), stranger).create()
    assert not (await listed(webhook_client)).webhooks


async def test_the_cursor_of_another_organization_is_refused(
    webhook_client: WebhookClient, world: World, refused: Refused
) -> None:
    for _ in range(2):
        await webhook_client.create()
    cursor = (await listed(webhook_client, 1)).next_cursor
    other = WebhookClient(
        world, await world.new_organization(webhook_client.owner), webhook_client.owner
    )
    attempt = listed(other, 1, cursor)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("cursor",)
