"""URLs that are as good as a credential: shown to those who may change the webhook alone."""

from __future__ import annotations

from uuid import UUID

import pytest
from portico.webhooks.v1 import webhook_service_pb2 as pb
from portico.webhooks.v1.webhook_pb2 import Webhook
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.common.records import AuditEntry, Event
from server.features.webhooks.messages import redacted_url
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import Person, World

CAPABILITY = "https://hooks.example.com/services/T0/s3cret?token=s3cret"
REDACTED = "https://hooks.example.com/…"


async def seen_by(world: World, person: Person, webhook_id: str, organization_id: str) -> Webhook:
    """A webhook as somebody sees it, which is the same alone and in the list."""
    one = await world.webhooks.GetWebhook(
        pb.GetWebhookRequest(webhook_id=webhook_id), metadata=person.metadata
    )
    listed = await world.webhooks.ListWebhooks(
        pb.ListWebhooksRequest(organization_id=organization_id), metadata=person.metadata
    )
    assert list(listed.webhooks) == [one.webhook]
    return one.webhook


async def test_a_viewer_sees_where_it_leads_but_not_the_token(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create(url=CAPABILITY)).webhook
    assert webhook.url == CAPABILITY
    for role, url in (("viewer", REDACTED), ("member", CAPABILITY)):
        person = await world.new_member(webhook_client.organization_id, webhook_client.owner, role)
        assert (await seen_by(world, person, webhook.id, webhook_client.organization_id)).url == url


async def test_a_key_that_may_only_read_does_not_see_the_token(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create(url=CAPABILITY)).webhook
    key = await world.new_key(webhook_client.organization_id, webhook_client.owner, "webhooks:read")
    shown = await world.webhooks.GetWebhook(
        pb.GetWebhookRequest(webhook_id=webhook.id), metadata=await world.key_metadata(key.secret)
    )
    assert shown.webhook.url == REDACTED


async def test_neither_the_audit_log_nor_an_event_holds_the_token(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create(url=CAPABILITY)).webhook
    await webhook_client.update(webhook.id, url=CAPABILITY + "&again")
    await webhook_client.update(webhook.id, enabled=False)
    await webhook_client.update(webhook.id, enabled=True)
    delivery = await webhook_client.test(webhook.id)
    await webhook_client.rotate(webhook.id)
    assert "s3cret" not in (await webhook_client.delivery(delivery.id)).payload
    await world.webhooks.DeleteWebhook(
        pb.DeleteWebhookRequest(webhook_id=webhook.id), metadata=webhook_client.owner.metadata
    )
    organization_id = UUID(webhook_client.organization_id)
    async with AsyncSession(world.engine) as db:
        of_events = select(Event).where(Event.organization_id == organization_id)
        events = [one for one in await db.scalars(of_events) if one.type.startswith("webhook.")]
        of_entries = select(AuditEntry).where(AuditEntry.organization_id == organization_id)
        entries = [one for one in await db.scalars(of_entries) if "webhook." in one.action]
    names = {f"webhook.{name}" for name in ("created", "updated", "disabled", "deleted")}
    assert {one.type for one in events} == names
    assert {one.action for one in entries} == {*names, "webhook.tested", "webhook.secret_rotated"}
    assert {one.data["url"] for one in events} == {REDACTED}
    assert "s3cret" not in str([one.details for one in entries])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com/", "https://example.com/"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("https://example.com/a", "https://example.com/…"),
        ("https://example.com?token=a", "https://example.com/…"),
        ("https://example.com#token", "https://example.com/…"),
        ("https://[2606:4700::1]:8443/a", "https://[2606:4700::1]:8443/…"),
        ("https://ada:secret@example.com/", "https://example.com/"),
    ],
)
def test_all_that_follows_the_host_is_hidden(url: str, shown: str) -> None:
    assert redacted_url(url) == shown
