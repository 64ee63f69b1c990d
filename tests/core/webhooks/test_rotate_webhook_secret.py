"""Rotating a signing secret."""

from __future__ import annotations

from datetime import UTC, timedelta

import grpc
from portico.webhooks.v1 import webhook_service_pb2 as pb
from sqlalchemy import text

from server.features.webhooks.secret import unseal
from tests.core.calls import headers, if_match, version
from tests.core.conftest import Refused
from tests.core.records import audit_entry
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import World


async def test_deliveries_are_signed_with_the_new_secret_from_now_on(
    webhook_client: WebhookClient, world: World
) -> None:
    created = await webhook_client.create()
    call = world.webhooks.RotateWebhookSecret(
        pb.RotateWebhookSecretRequest(webhook_id=created.webhook.id),
        metadata=webhook_client.owner.metadata,
    )
    rotated = await call
    assert rotated.secret.startswith("whsec_")
    assert rotated.secret != created.secret
    assert version((await headers(call))["etag"]) == 2
    async with world.engine.connect() as connection:
        query = text("select sealed_secret from webhooks where id = :id")
        sealed = (await connection.execute(query, {"id": created.webhook.id})).scalar_one()
    assert unseal(world.secrets, sealed) == rotated.secret


async def test_it_is_written_down_without_the_secret(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create()).webhook
    rotated = await world.webhooks.RotateWebhookSecret(
        pb.RotateWebhookSecretRequest(webhook_id=webhook.id), metadata=webhook_client.owner.metadata
    )
    entry = await audit_entry(world, webhook_client.organization_id, "webhook.secret_rotated")
    assert str(entry.target_id) == webhook.id
    assert rotated.secret not in str(entry.details)


async def test_a_version_that_is_no_longer_the_newest_is_refused(
    webhook_client: WebhookClient, world: World, refused: Refused
) -> None:
    webhook = (await webhook_client.create()).webhook
    attempt = world.webhooks.RotateWebhookSecret(
        pb.RotateWebhookSecretRequest(webhook_id=webhook.id),
        metadata=if_match(webhook_client.owner, '"3"'),
    )
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")


async def test_the_replaced_secret_overlaps_by_a_day_unless_said_otherwise(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create()).webhook
    assert not webhook.HasField("previous_secret_expires_at")
    for overlap, seconds in ((None, 86_400), (3600, 3600), (604_800, 604_800)):
        before = world.clock()
        shown = (await webhook_client.rotate(webhook.id, overlap)).webhook
        until = shown.previous_secret_expires_at.ToDatetime(UTC)
        assert abs((until - before).total_seconds() - seconds) < 10
        assert await webhook_client.get(webhook.id) == shown
    await webhook_client.rotate(webhook.id, 60)
    with world.clock.later(timedelta(seconds=61)):
        assert not (await webhook_client.get(webhook.id)).HasField("previous_secret_expires_at")


async def test_a_secret_that_leaked_is_dropped_at_once(
    webhook_client: WebhookClient, world: World
) -> None:
    created = await webhook_client.create()
    first = await webhook_client.rotate(created.webhook.id)
    leaked = await webhook_client.rotate(created.webhook.id, 0)
    assert not leaked.webhook.HasField("previous_secret_expires_at")
    assert await secrets_of(world, created.webhook.id) == [leaked.secret]
    assert first.secret != leaked.secret


async def test_a_second_rotation_in_the_overlap_drops_the_oldest(
    webhook_client: WebhookClient, world: World
) -> None:
    created = await webhook_client.create()
    second = (await webhook_client.rotate(created.webhook.id)).secret
    third = (await webhook_client.rotate(created.webhook.id)).secret
    assert await secrets_of(world, created.webhook.id) == [third, second]


async def test_an_overlap_of_more_than_a_week_is_refused(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    webhook = (await webhook_client.create()).webhook
    attempt = webhook_client.rotate(webhook.id, 604_801)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("overlap_seconds",)


async def secrets_of(world: World, webhook_id: str) -> list[str]:
    """The secrets that deliveries of a webhook are signed with, newest first."""
    query = text("select sealed_secret, sealed_previous_secret from webhooks where id = :id")
    async with world.engine.connect() as connection:
        row = (await connection.execute(query, {"id": webhook_id})).one()
    return [unseal(world.secrets, sealed) for sealed in row if sealed is not None]
