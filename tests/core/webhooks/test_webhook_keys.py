"""Key pairs of webhooks: public keys in the resource and in the organization's key set."""

from __future__ import annotations

import base64
from datetime import UTC, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from joserfc.jwk import OKPKey
from portico.webhooks.v1 import webhook_service_pb2 as pb
from portico.webhooks.v1.webhook_pb2 import Webhook
from sqlalchemy import text

from tests.core.calls import headers, race
from tests.core.conftest import Refused
from tests.core.records import audit_entry
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import World


async def key_set(world: World, organization_id: str) -> list[pb.WebhookKey]:
    """The key set as anybody gets it."""
    request = pb.GetWebhookKeySetRequest(organization_id=organization_id)
    return list((await world.webhooks.GetWebhookKeySet(request)).keys)


async def rotate(
    client: WebhookClient, webhook_id: str, signing: str = "", **fields: Any
) -> pb.RotateWebhookSecretResponse:
    request = pb.RotateWebhookSecretRequest(webhook_id=webhook_id, signing=signing, **fields)
    return await client.world.webhooks.RotateWebhookSecret(request, metadata=client.owner.metadata)


def shown_key(key: pb.WebhookKey) -> str:
    """A key of the set in the form in which the webhook shows it, read by a JOSE library."""
    members = {field.name: value for field, value in key.ListFields()}
    raw = OKPKey.import_key(members).public_key.public_bytes_raw()
    return "whpk_" + base64.b64encode(raw).decode()


async def test_a_webhook_has_a_key_pair_once_it_signs_with_one(
    webhook_client: WebhookClient, world: World
) -> None:
    created = await webhook_client.create(signing="both")
    webhook = created.webhook
    assert (webhook.signing, created.secret[:6]) == ("both", "whsec_")
    assert webhook.public_key.startswith("whpk_")
    assert len(base64.b64decode(webhook.public_key.removeprefix("whpk_"))) == 32
    # It keeps the pair, so that its receivers need no new key if it comes back to it.
    without = (await webhook_client.update(webhook.id, signing="v1")).webhook
    assert (without.signing, without.public_key) == ("v1", webhook.public_key)
    back = (await webhook_client.update(webhook.id, signing="v1a")).webhook
    assert (back.signing, back.public_key) == ("v1a", webhook.public_key)
    other = (await webhook_client.create()).webhook
    changed = (await webhook_client.update(other.id, signing="v1a")).webhook
    assert changed.public_key not in ("", webhook.public_key)


async def test_nobody_is_shown_a_secret_that_nothing_is_signed_with(
    webhook_client: WebhookClient,
) -> None:
    created = await webhook_client.create(signing="v1a")
    assert created.secret == ""
    # Made in advance: the receiver knows it before deliveries are signed with it.
    made = await rotate(webhook_client, created.webhook.id, "v1")
    assert made.secret.startswith("whsec_")
    assert (made.webhook.signing, made.webhook.public_key) == ("v1a", created.webhook.public_key)
    both = await webhook_client.update(created.webhook.id, signing="both")
    assert both.webhook.signing == "both"


async def test_the_key_set_has_the_keys_of_the_organization_and_no_others(
    webhook_client: WebhookClient, world: World, stranger: Any
) -> None:
    first = (await webhook_client.create(signing="v1a")).webhook
    second = (await webhook_client.create(signing="both", url="https://example.org/")).webhook
    await webhook_client.create()
    other = WebhookClient(world, await world.new_organization(stranger), stranger)
    theirs = (await other.create(signing="v1a")).webhook
    keys = await key_set(world, webhook_client.organization_id)
    assert [shown_key(key) for key in keys] == [first.public_key, second.public_key]
    assert [key.kid.partition(".")[0] for key in keys] == [first.id, second.id]
    for key in keys:
        assert (key.kty, key.crv, key.use, key.alg) == ("OKP", "Ed25519", "sig", "EdDSA")
        assert (
            key.kid.partition(".")[2]
            == OKPKey.import_key({"kty": key.kty, "crv": key.crv, "x": key.x}).thumbprint()
        )
    (key,) = await key_set(world, other.organization_id)
    assert shown_key(key) == theirs.public_key
    await world.webhooks.DeleteWebhook(
        pb.DeleteWebhookRequest(webhook_id=first.id), metadata=webhook_client.owner.metadata
    )
    (left,) = await key_set(world, webhook_client.organization_id)
    assert left == keys[1]


async def test_an_unknown_organization_has_no_keys_as_one_without_has_none(
    webhook_client: WebhookClient, world: World
) -> None:
    assert await key_set(world, webhook_client.organization_id) == []
    assert await key_set(world, str(uuid4())) == []
    call = world.webhooks.GetWebhookKeySet(
        pb.GetWebhookKeySetRequest(organization_id=webhook_client.organization_id)
    )
    await call
    assert (await headers(call))["cache-control"] == "public, max-age=300"


async def test_during_the_overlap_of_a_rotation_both_keys_are_published(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create(signing="v1a")).webhook
    (before,) = await key_set(world, webhook_client.organization_id)
    rotated = (await rotate(webhook_client, webhook.id, overlap_seconds=60)).webhook
    assert rotated.public_key != webhook.public_key
    assert rotated.previous_public_key == webhook.public_key
    until = rotated.previous_public_key_expires_at.ToDatetime(UTC)
    assert abs((until - world.clock()).total_seconds() - 60) < 10
    assert await webhook_client.get(webhook.id) == rotated
    new, old = await key_set(world, webhook_client.organization_id)
    assert (shown_key(new), old) == (rotated.public_key, before)
    with world.clock.later(timedelta(seconds=61)):
        assert await key_set(world, webhook_client.organization_id) == [new]
        later = await webhook_client.get(webhook.id)
        assert later.previous_public_key == ""
        assert not later.HasField("previous_public_key_expires_at")


async def test_a_second_rotation_drops_the_oldest_key_and_one_without_overlap_the_one_before(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create(signing="v1a")).webhook
    second = (await rotate(webhook_client, webhook.id)).webhook
    third = (await rotate(webhook_client, webhook.id)).webhook
    keys = await key_set(world, webhook_client.organization_id)
    assert [shown_key(key) for key in keys] == [third.public_key, second.public_key]
    leaked = (await rotate(webhook_client, webhook.id, overlap_seconds=0)).webhook
    assert leaked.previous_public_key == ""
    (key,) = await key_set(world, webhook_client.organization_id)
    assert shown_key(key) == leaked.public_key


@pytest.mark.parametrize(
    ("signing", "asked", "secret", "key"),
    [
        ("v1", "", True, False),
        ("v1a", "", False, True),
        ("both", "", True, True),
        ("both", "v1", True, False),
        ("both", "v1a", False, True),
        ("v1", "both", True, True),
    ],
)
async def test_a_rotation_replaces_what_it_is_asked_to(
    webhook_client: WebhookClient, signing: str, asked: str, secret: bool, key: bool
) -> None:
    before = (await webhook_client.create(signing=signing)).webhook
    rotated = await rotate(webhook_client, before.id, asked)
    after = rotated.webhook
    assert bool(rotated.secret) == secret
    assert after.HasField("previous_secret_expires_at") == secret
    assert (after.public_key != before.public_key) == key
    # There was no key before that deliveries could be signed with, too.
    assert after.HasField("previous_public_key_expires_at") == (key and signing != "v1")


async def test_the_private_key_is_sealed_and_told_to_nobody(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create(signing="v1a")).webhook
    query = text("select sealed_private_key, public_key from webhooks where id = :id")
    async with world.engine.connect() as connection:
        sealed, public = (await connection.execute(query, {"id": webhook.id})).one()
    private = world.secrets.unseal("webhook-signing-key", sealed)
    assert private not in sealed
    assert public not in sealed
    await rotate(webhook_client, webhook.id)
    for action in ("webhook.created", "webhook.secret_rotated"):
        entry = await audit_entry(world, webhook_client.organization_id, action)
        assert base64.b64encode(private).decode() not in str(entry.details)
        assert entry.details["publicKey"].startswith("whpk_")


async def test_of_rotations_at_once_each_leaves_the_pair_of_one(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create(signing="both")).webhook
    answers, reasons = await race(*(rotate(webhook_client, webhook.id) for _ in range(4)))
    assert set(reasons) <= {"CONCURRENT_UPDATE"}
    shown = await webhook_client.get(webhook.id)
    assert shown.public_key in {answer.webhook.public_key for answer in answers}
    keys = await key_set(world, webhook_client.organization_id)
    assert [shown_key(key) for key in keys] == [shown.public_key, shown.previous_public_key]


async def test_an_unknown_way_to_sign_is_refused(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    webhook: Webhook = (await webhook_client.create()).webhook
    for attempt in (
        webhook_client.create(signing="v2"),
        webhook_client.update(webhook.id, signing="none"),
        rotate(webhook_client, webhook.id, "V1A"),
    ):
        found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
        assert found.fields == ("signing",)
