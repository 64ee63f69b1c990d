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
from tests.core.webhooks.conftest import Desk
from tests.core.world import World


async def test_deliveries_are_signed_with_the_new_secret_from_now_on(
    desk: Desk, world: World
) -> None:
    created = await desk.create()
    call = world.webhooks.RotateWebhookSecret(
        pb.RotateWebhookSecretRequest(webhook_id=created.webhook.id), metadata=desk.owner.metadata
    )
    rotated = await call
    assert rotated.secret.startswith("whsec_")
    assert rotated.secret != created.secret
    assert version((await headers(call))["etag"]) == 2
    async with world.engine.connect() as connection:
        query = text("select sealed_secret from webhooks where id = :id")
        sealed = (await connection.execute(query, {"id": created.webhook.id})).scalar_one()
    assert unseal(world.secrets, sealed) == rotated.secret


async def test_it_is_written_down_without_the_secret(desk: Desk, world: World) -> None:
    webhook = (await desk.create()).webhook
    rotated = await world.webhooks.RotateWebhookSecret(
        pb.RotateWebhookSecretRequest(webhook_id=webhook.id), metadata=desk.owner.metadata
    )
    entry = await audit_entry(world, desk.organization_id, "webhook.secret_rotated")
    assert str(entry.target_id) == webhook.id
    assert rotated.secret not in str(entry.details)


async def test_a_version_that_is_no_longer_the_newest_is_refused(
    desk: Desk, world: World, refused: Refused
) -> None:
    webhook = (await desk.create()).webhook
    attempt = world.webhooks.RotateWebhookSecret(
        pb.RotateWebhookSecretRequest(webhook_id=webhook.id), metadata=if_match(desk.owner, '"3"')
    )
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")


async def test_the_replaced_secret_overlaps_by_a_day_unless_said_otherwise(
    desk: Desk, world: World
) -> None:
    webhook = (await desk.create()).webhook
    assert not webhook.HasField("previous_secret_expires_at")
    for overlap, seconds in ((None, 86_400), (3600, 3600), (604_800, 604_800)):
        before = world.clock()
        shown = (await desk.rotate(webhook.id, overlap)).webhook
        until = shown.previous_secret_expires_at.ToDatetime(UTC)
        assert abs((until - before).total_seconds() - seconds) < 10
        assert await desk.get(webhook.id) == shown
    await desk.rotate(webhook.id, 60)
    with world.clock.later(timedelta(seconds=61)):
        assert not (await desk.get(webhook.id)).HasField("previous_secret_expires_at")


async def test_a_secret_that_leaked_is_dropped_at_once(desk: Desk, world: World) -> None:
    created = await desk.create()
    first = await desk.rotate(created.webhook.id)
    leaked = await desk.rotate(created.webhook.id, 0)
    assert not leaked.webhook.HasField("previous_secret_expires_at")
    assert await secrets_of(world, created.webhook.id) == [leaked.secret]
    assert first.secret != leaked.secret


async def test_a_second_rotation_in_the_overlap_drops_the_oldest(desk: Desk, world: World) -> None:
    created = await desk.create()
    second = (await desk.rotate(created.webhook.id)).secret
    third = (await desk.rotate(created.webhook.id)).secret
    assert await secrets_of(world, created.webhook.id) == [third, second]


async def test_an_overlap_of_more_than_a_week_is_refused(desk: Desk, refused: Refused) -> None:
    webhook = (await desk.create()).webhook
    attempt = desk.rotate(webhook.id, 604_801)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("overlap_seconds",)


async def secrets_of(world: World, webhook_id: str) -> list[str]:
    """The secrets that deliveries of a webhook are signed with, newest first."""
    query = text("select sealed_secret, sealed_previous_secret from webhooks where id = :id")
    async with world.engine.connect() as connection:
        row = (await connection.execute(query, {"id": webhook_id})).one()
    return [unseal(world.secrets, sealed) for sealed in row if sealed is not None]
