"""Creating webhooks: public addresses, known events, and a secret that is shown once."""

from __future__ import annotations

import base64
import re
from typing import Any

import grpc
import pytest
from portico.webhooks.v1 import webhook_service_pb2 as pb
from sqlalchemy import CheckConstraint, text
from standardwebhooks import Webhook as Verifier

from server.features.organizations.models import Organization
from server.features.webhooks.secret import unseal
from server.features.webhooks.service import MAX_WEBHOOKS
from tests.core.calls import headers, race
from tests.core.conftest import Refused
from tests.core.records import audit_entry, event
from tests.core.webhooks.conftest import URL, WebhookClient
from tests.core.world import World


async def test_the_answer_shows_the_webhook_and_its_secret(
    webhook_client: WebhookClient, world: World
) -> None:
    call = world.webhooks.CreateWebhook(
        pb.CreateWebhookRequest(
            organization_id=webhook_client.organization_id,
            url=URL,
            event_types=["key.revoked", "key.created"],
            description="Our ledger",
        ),
        metadata=webhook_client.owner.metadata,
    )
    answer = await call
    webhook = answer.webhook
    assert (webhook.url, webhook.description, webhook.enabled) == (URL, "Our ledger", True)
    assert list(webhook.event_types) == ["key.created", "key.revoked"]
    assert (await headers(call))["location"] == f"/api/v1/webhooks/{webhook.id}"
    assert await webhook_client.get(webhook.id) == webhook


async def test_the_secret_is_one_of_standard_webhooks(webhook_client: WebhookClient) -> None:
    secret = (await webhook_client.create()).secret
    assert secret.startswith("whsec_")
    # The specification asks for 24 to 64 bytes.
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"))) <= 64
    Verifier(secret)


async def test_the_secret_is_stored_sealed_and_told_to_nobody(
    webhook_client: WebhookClient, world: World
) -> None:
    answer = await webhook_client.create()
    told = await event(world, webhook_client.organization_id, "webhook.created")
    entry = await audit_entry(world, webhook_client.organization_id, "webhook.created")
    async with world.engine.connect() as connection:
        query = text("select sealed_secret from webhooks where id = :id")
        sealed = (await connection.execute(query, {"id": answer.webhook.id})).scalar_one()
    assert answer.secret not in f"{told.data} {entry.details}"
    assert answer.secret.encode() not in sealed
    assert unseal(world.secrets, sealed) == answer.secret


@pytest.mark.parametrize(
    ("fields", "blamed"),
    [
        ({"url": ""}, {"url"}),
        ({"url": "ftp://example.com"}, {"url"}),
        ({"url": "https://exa mple.com"}, {"url"}),
        ({"url": "https://example.com/" + "a" * 2000}, {"url"}),
        ({"url": "https://10.0.0.1/"}, {"url"}),
        ({"url": "https://ada:secret@example.com/"}, {"url"}),
        ({"event_types": []}, {"event_types"}),
        ({"event_types": ["*", "*"]}, {"event_types"}),
        ({"event_types": ["key.created", "nonsense"]}, {"event_types[1]"}),
        ({"event_types": ["moon.rose", "*", "sun.set"]}, {"event_types[0]", "event_types[2]"}),
        ({"description": "d" * 501}, {"description"}),
    ],
)
async def test_what_is_wrong_is_named(
    webhook_client: WebhookClient,
    world: World,
    fields: dict[str, Any],
    blamed: set[str],
    refused: Refused,
) -> None:
    values: dict[str, Any] = {"url": URL, "event_types": ["*"], **fields}
    request = pb.CreateWebhookRequest(organization_id=webhook_client.organization_id, **values)
    attempt = world.webhooks.CreateWebhook(request, metadata=webhook_client.owner.metadata)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert set(found.fields) == blamed


async def test_a_tier_has_so_many_webhooks_and_not_one_more(
    webhook_client: WebhookClient, world: World, refused: Refused
) -> None:
    made = [await webhook_client.create() for _ in range(8)]
    answers, reasons = await race(*(webhook_client.create() for _ in range(5)))
    assert (len(answers), reasons) == (2, ["WEBHOOK_LIMIT_REACHED"] * 3)
    await world.webhooks.DeleteWebhook(
        pb.DeleteWebhookRequest(webhook_id=made[0].webhook.id),
        metadata=webhook_client.owner.metadata,
    )
    await webhook_client.create()
    found = await refused(
        webhook_client.create(), grpc.StatusCode.FAILED_PRECONDITION, "WEBHOOK_LIMIT_REACHED"
    )
    assert found.metadata["limit"] == "10"


def test_every_tier_has_a_limit() -> None:
    (known,) = (
        str(rule.sqltext)
        for rule in Organization.metadata.tables["organizations"].constraints
        if isinstance(rule, CheckConstraint) and str(rule.name).endswith("tier_is_known")
    )
    assert set(MAX_WEBHOOKS) == set(re.findall(r"'(\w+)'", known))
