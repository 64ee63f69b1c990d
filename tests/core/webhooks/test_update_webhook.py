"""Changing a webhook: only what is given, by the rules of its creation."""

from __future__ import annotations

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from portico.webhooks.v1 import webhook_service_pb2 as pb

from tests.core.calls import headers, if_match, race, version
from tests.core.conftest import Refused
from tests.core.records import event, event_types
from tests.core.webhooks.conftest import URL, WebhookClient
from tests.core.world import World


async def test_only_the_given_fields_change(webhook_client: WebhookClient) -> None:
    webhook = (await webhook_client.create("key.created", description="Before")).webhook
    await webhook_client.update(webhook.id, enabled=False)
    await webhook_client.update(webhook.id, description="")
    changed = (
        await webhook_client.update(webhook.id, event_types=["key.revoked", "key.created"])
    ).webhook
    assert (changed.url, changed.description, changed.enabled) == (URL, "", False)
    assert list(changed.event_types) == ["key.created", "key.revoked"]
    assert await webhook_client.get(webhook.id) == changed


async def test_the_change_is_told(webhook_client: WebhookClient, world: World) -> None:
    webhook = (await webhook_client.create()).webhook
    await webhook_client.update(webhook.id, url="https://example.org/")
    told = await event(world, webhook_client.organization_id, "webhook.updated")
    assert (told.data["id"], told.data["url"]) == (webhook.id, "https://example.org/")


async def test_it_is_not_moved_to_where_it_could_not_be_created(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    webhook = (await webhook_client.create()).webhook
    attempt = webhook_client.update(webhook.id, url="https://169.254.169.254/")
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("url",)


async def test_an_unknown_event_type_is_named(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    webhook = (await webhook_client.create()).webhook
    attempt = webhook_client.update(webhook.id, event_types=["key.created", "moon.rose"])
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("event_types[1]",)


async def test_of_changes_at_once_to_one_version_one_is_made(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create()).webhook
    answers, reasons = await race(
        *(
            world.webhooks.UpdateWebhook(
                pb.UpdateWebhookRequest(webhook_id=webhook.id, description=f"Version {n}"),
                metadata=if_match(webhook_client.owner, '"1"'),
            )
            for n in range(4)
        )
    )
    assert (len(answers), reasons) == (1, ["ETAG_MISMATCH"] * 3)
    shown = world.webhooks.GetWebhook(
        pb.GetWebhookRequest(webhook_id=webhook.id), metadata=webhook_client.owner.metadata
    )
    assert (await shown).webhook == answers[0].webhook
    assert version((await headers(shown))["etag"]) == 2


async def test_a_description_can_be_cleared_and_an_address_cannot(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    webhook = (await webhook_client.create(description="Before")).webhook
    mask = FieldMask(paths=["description"])
    assert (await webhook_client.update(webhook.id, update_mask=mask)).webhook.description == ""
    attempt = webhook_client.update(webhook.id, update_mask=FieldMask(paths=["url", "event_types"]))
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("url", "event_types")
    assert found.reasons == ("NOT_CLEARABLE", "REPEATED_MIN_ITEMS")


async def test_a_change_that_changes_nothing_leaves_no_trace(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create(description="Before")).webhook
    await webhook_client.update(webhook.id)
    await webhook_client.update(
        webhook.id, url=webhook.url, event_types=webhook.event_types, enabled=True
    )
    assert await webhook_client.get(webhook.id) == webhook
    assert "webhook.updated" not in await event_types(world, webhook_client.organization_id)


async def test_what_the_mask_does_not_name_stays_and_is_not_looked_at(
    webhook_client: WebhookClient,
) -> None:
    webhook = (await webhook_client.create()).webhook
    mask = FieldMask(paths=["description"])
    elsewhere = {"url": "https://169.254.169.254/", "event_types": ["moon.rose"]}
    answer = await webhook_client.update(
        webhook.id, description="After", update_mask=mask, **elsewhere
    )
    changed = answer.webhook
    assert (changed.description, changed.url) == ("After", webhook.url)
    assert changed.event_types == webhook.event_types
