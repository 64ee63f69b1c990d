"""Headers of a webhook's own: their values are written, and read by nobody."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from portico.webhooks.v1.webhook_service_pb2 import WebhookHeader
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from server.common.records import AuditEntry, Event
from server.features.webhooks import custom_headers
from server.features.webhooks.delivery.credentials import REDACTED, redacted
from tests.core.conftest import Refused
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import World

INVALID = grpc.StatusCode.INVALID_ARGUMENT
SECRET = "Bearer r3ceiver-s3cret"
AUTHORIZATION = WebhookHeader(name="Authorization", value=SECRET)
TENANT = WebhookHeader(name="X-Tenant", value="42")


async def stored(world: World, webhook_id: str) -> Any:
    """The headers as the worker that sends them reads them."""
    query = text("select sealed_headers from webhooks where id = :id")
    async with world.engine.connect() as connection:
        sealed = (await connection.execute(query, {"id": webhook_id})).scalar_one()
    assert sealed is None or SECRET.encode() not in sealed
    return None if sealed is None else custom_headers.unseal(world.secrets, sealed)


async def test_names_are_shown_and_values_are_sealed(
    webhook_client: WebhookClient, world: World
) -> None:
    created = await webhook_client.create(headers=[AUTHORIZATION, TENANT])
    assert list(created.webhook.header_names) == ["Authorization", "X-Tenant"]
    assert await webhook_client.get(created.webhook.id) == created.webhook
    assert SECRET not in str(created)
    assert await stored(world, created.webhook.id) == {"Authorization": SECRET, "X-Tenant": "42"}


async def test_new_headers_replace_all_of_those_before(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create(headers=[AUTHORIZATION])).webhook
    # What is not named stays.
    await webhook_client.update(webhook.id, description="After")
    assert await stored(world, webhook.id) == {"Authorization": SECRET}
    changed = (await webhook_client.update(webhook.id, headers=[TENANT])).webhook
    assert list(changed.header_names) == ["X-Tenant"]
    assert await stored(world, webhook.id) == {"X-Tenant": "42"}
    cleared = await webhook_client.update(webhook.id, update_mask=FieldMask(paths=["headers"]))
    assert list(cleared.webhook.header_names) == []
    assert await stored(world, webhook.id) is None


async def test_whether_a_value_is_the_one_before_cannot_be_found_out(
    webhook_client: WebhookClient,
) -> None:
    webhook = (await webhook_client.create(headers=[AUTHORIZATION])).webhook
    guesses = [WebhookHeader(name="Authorization", value="Bearer guess"), AUTHORIZATION]
    for guess in guesses:
        before = await webhook_client.get(webhook.id)
        after = (await webhook_client.update(webhook.id, headers=[guess])).webhook
        assert after.updated_at.ToDatetime() > before.updated_at.ToDatetime()


async def test_no_event_no_audit_entry_and_no_log_line_has_a_value(
    webhook_client: WebhookClient, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    webhook = (await webhook_client.create(headers=[AUTHORIZATION])).webhook
    await webhook_client.update(webhook.id, headers=[AUTHORIZATION, TENANT])
    await webhook_client.rotate(webhook.id)
    delivery = await webhook_client.test(webhook.id)
    assert "s3cret" not in str(await webhook_client.delivery(delivery.id))
    wrong = WebhookHeader(name="Host", value=SECRET)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await webhook_client.update(webhook.id, headers=[wrong])
    invisible = WebhookHeader(name="X-Token", value=SECRET + "\n")
    with pytest.raises(grpc.aio.AioRpcError) as other:
        await webhook_client.update(webhook.id, headers=[invisible])
    async with AsyncSession(world.engine) as db:
        rows = [
            *await db.execute(text("select * from events where data::text like '%s3cret%'")),
            *await db.execute(text("select * from audit_log where details::text like '%s3cret%'")),
        ]
    assert (Event.__tablename__, AuditEntry.__tablename__) == ("events", "audit_log")
    assert rows == []
    assert "s3cret" not in f"{capfd.readouterr()} {refusal.value} {other.value}"


async def test_headers_reach_no_receiver_that_they_were_not_given_for(
    webhook_client: WebhookClient, world: World, refused: Refused
) -> None:
    created = await webhook_client.create(headers=[AUTHORIZATION])
    webhook = created.webhook
    member = await world.new_member(webhook_client.organization_id, webhook_client.owner, "member")
    theirs = WebhookClient(world, webhook_client.organization_id, member)
    # Another path can be another tenant's receiver on the same host.
    for url in ("https://evil.example/", "https://example.com/other", webhook.url + "?a"):
        attempt = theirs.update(webhook.id, url=url)
        found = await refused(attempt, INVALID, "VALIDATION_ERROR")
        assert (found.fields, found.reasons) == (("headers",), ("HEADERS_REQUIRED",))
    assert await webhook_client.get(webhook.id) == webhook
    # The same URL is no other one, however it is written.
    same = await theirs.update(webhook.id, url="HTTPS://Example.com:443/hook#part")
    assert same.webhook == webhook
    mask = FieldMask(paths=["url", "headers"])
    moved = await theirs.update(webhook.id, url="https://example.org/", update_mask=mask)
    assert (moved.webhook.url, list(moved.webhook.header_names)) == ("https://example.org/", [])
    assert await stored(world, webhook.id) is None
    again = await theirs.update(webhook.id, url="https://example.net/", headers=[TENANT])
    assert again.webhook.url == "https://example.net/"
    assert await stored(world, webhook.id) == {"X-Tenant": "42"}


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "CONNECTION", "keep-alive", "Proxy-Authorization", "TE", "Trailer", "Upgrade"),
        *("Transfer-Encoding", "Content-Type", "content-length", "Content_Length", "Expect"),
        *("webhook-id", "Webhook-Signature", "webhook_signature", "webhook-", "User-Agent"),
        *("Accept-Encoding", "Proxy-Connection", "Proxy-Authenticate", "HTTP2-Settings"),
    ],
)
async def test_a_header_of_the_connection_or_of_ours_is_refused(
    webhook_client: WebhookClient, refused: Refused, name: str
) -> None:
    headers = [TENANT, WebhookHeader(name=name, value="a")]
    found = await refused(webhook_client.create(headers=headers), INVALID, "VALIDATION_ERROR")
    assert (found.fields, found.reasons) == (("headers[1].name",), ("HEADER_NOT_ALLOWED",))


@pytest.mark.parametrize(
    ("name", "value", "blamed"),
    [
        ("", "a", "headers[0].name"),
        ("X Tenant", "a", "headers[0].name"),
        ("X-Tenant:", "a", "headers[0].name"),
        ("X-Tenant\r\nHost", "a", "headers[0].name"),
        ("X-Tenant\n", "a", "headers[0].name"),
        ("X-Ténant", "a", "headers[0].name"),
        (":authority", "a", "headers[0].name"),
        ("n" * 129, "a", "headers[0].name"),
        ("X-Tenant", "", "headers[0].value"),
        ("X-Tenant", " a", "headers[0].value"),
        ("X-Tenant", "a ", "headers[0].value"),
        ("X-Tenant", "a\r\nHost: b", "headers[0].value"),
        ("X-Tenant", "a\n", "headers[0].value"),
        ("X-Tenant", "a\tb", "headers[0].value"),
        ("X-Tenant", "a\x7f", "headers[0].value"),
        ("X-Tenant", "ä", "headers[0].value"),
        ("X-Tenant", "a" * 4097, "headers[0].value"),
        ("X-Tenant", "a" * 4089, "headers"),
    ],
)
async def test_what_is_no_header_is_refused_by_its_field(
    webhook_client: WebhookClient, refused: Refused, name: str, value: str, blamed: str
) -> None:
    headers = [WebhookHeader(name=name, value=value)]
    found = await refused(webhook_client.create(headers=headers), INVALID, "VALIDATION_ERROR")
    assert found.fields == (blamed,)


async def test_there_are_at_most_ten_and_each_name_once(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    ten = [WebhookHeader(name=f"X-{n}", value="a") for n in range(10)]
    webhook = (await webhook_client.create(headers=ten)).webhook
    eleven = webhook_client.update(webhook.id, headers=[*ten, TENANT])
    assert (await refused(eleven, INVALID, "VALIDATION_ERROR")).fields == ("headers",)
    twice = webhook_client.update(
        webhook.id, headers=[TENANT, WebhookHeader(name="x-tenant", value="b")]
    )
    found = await refused(twice, INVALID, "VALIDATION_ERROR")
    assert (found.fields, found.reasons) == (("headers[1].name",), ("HEADER_REPEATED",))


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("you sent Authorization: Bearer abcdef!", f"you sent Authorization: {REDACTED}!"),
        ('{"token": "abcdef"}', f'{{"token": "{REDACTED}"}}'),
        ('{"quoted": "a \\"b\\" c"}', f'{{"quoted": "{REDACTED}"}}'),
        ("cut off: Bearer abc", f"cut off: {REDACTED}"),
        ("cut off: abcd", f"cut off: {REDACTED}"),
        ("tenant 42 is unknown", "tenant 42 is unknown"),
        ("all is well", "all is well"),
    ],
)
def test_an_answer_that_shows_what_was_sent_is_kept_without_the_values(
    answer: str, kept: str
) -> None:
    headers = {"Authorization": "Bearer abcdef", "X-Tenant": "42", "X-Quoted": 'a "b" c'}
    assert redacted(answer, headers) == kept
