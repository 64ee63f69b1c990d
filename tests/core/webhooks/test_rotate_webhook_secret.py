"""Rotating a signing secret."""

from __future__ import annotations

import grpc
from portico.webhooks.v1 import webhook_service_pb2 as pb
from sqlalchemy import text

from server.webhooks.secret import unseal
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
