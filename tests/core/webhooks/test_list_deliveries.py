"""Listing deliveries: newest first, all or those of one status."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from portico.webhooks.v1 import webhook_service_pb2 as pb
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.clock import moment, timestamp
from server.features.webhooks import delivery_filter
from tests.core.calls import pages
from tests.core.conftest import Refused
from tests.core.webhooks.conftest import WebhookClient


async def listed(
    webhook_client: WebhookClient,
    webhook_id: str,
    limit: int = 20,
    cursor: str = "",
    **filters: Any,
) -> pb.ListDeliveriesResponse:
    request = pb.ListDeliveriesRequest(webhook_id=webhook_id, limit=limit, cursor=cursor, **filters)
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


async def test_a_type_narrows_the_list(webhook_client: WebhookClient) -> None:
    webhook = (await webhook_client.create()).webhook
    made = [await webhook_client.test(webhook.id) for _ in range(4)]
    async with AsyncSession(webhook_client.world.engine) as db, db.begin():
        rename = text("update deliveries set event_type = 'key.created' where id = any(:ids)")
        await db.execute(rename, {"ids": [UUID(one.id) for one in made[::2]]})
    found = await listed(webhook_client, webhook.id, event_type="key.created")
    assert [one.id for one in found.deliveries] == [made[2].id, made[0].id]
    assert not (await listed(webhook_client, webhook.id, event_type="moon.rose")).deliveries


async def test_times_narrow_the_list(webhook_client: WebhookClient) -> None:
    webhook = (await webhook_client.create()).webhook
    made = [(await webhook_client.test(webhook.id)).id for _ in range(3)]
    async with AsyncSession(webhook_client.world.engine) as db, db.begin():
        # Ids begin with the time.
        for days, delivery_id in enumerate(made, 1):
            aged = "update deliveries set id = :aged where id = :id"
            then = webhook_client.world.clock() - timedelta(days=days)
            aged_id = UUID(int=(int(then.timestamp() * 1000) << 80) + days)
            await db.execute(text(aged), {"aged": aged_id, "id": UUID(delivery_id)})
    now = webhook_client.world.clock()

    async def count(**times: int) -> int:
        given: dict[str, Any] = {
            name: timestamp(now - timedelta(hours=hours)) for name, hours in times.items()
        }
        return len((await listed(webhook_client, webhook.id, **given)).deliveries)

    assert [await count(since=hours) for hours in (80, 50, 30, 10)] == [3, 2, 1, 0]
    assert [await count(until=hours) for hours in (80, 50, 30, 10)] == [0, 1, 2, 3]
    assert await count(since=50, until=30) == 1


async def test_the_latest_response_narrows_the_list_and_is_shown(
    webhook_client: WebhookClient,
) -> None:
    webhook = (await webhook_client.create()).webhook
    answers = {"204": 204, "404": 404, "503": 503, "none": None}
    made = {name: (await webhook_client.test(webhook.id)).id for name in answers}
    untried = (await webhook_client.test(webhook.id)).id
    for name, status in answers.items():
        await webhook_client.attempt(made[name], status, error="" if status else "refused")
    # Only the latest counts.
    await webhook_client.redeliver(made["503"])
    await webhook_client.attempt(made["503"], 502)
    for asked, name in {
        "2xx": "204",
        "4xx": "404",
        "404": "404",
        "5xx": "503",
        "502": "503",
    }.items():
        (found,) = (await listed(webhook_client, webhook.id, response_status=asked)).deliveries
        assert (found.id, found.response_status) == (
            made[name],
            answers[name] if name != "503" else 502,
        )
    (silent,) = (await listed(webhook_client, webhook.id, response_status="none")).deliveries
    assert (silent.id, silent.response_status) == (made["none"], 0)
    assert not (await listed(webhook_client, webhook.id, response_status="503")).deliveries
    assert (await webhook_client.delivery(made["503"])).response_status == 502
    everything = {
        one.id: one.response_status for one in (await listed(webhook_client, webhook.id)).deliveries
    }
    assert everything[untried] == 0


async def test_a_page_ends_where_enough_was_examined_and_the_next_goes_on_there(
    webhook_client: WebhookClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_filter, "EXAMINED", 3)
    webhook = (await webhook_client.create()).webhook
    made = [(await webhook_client.test(webhook.id)).id for _ in range(8)]
    await webhook_client.attempt(made[0], 500)
    await webhook_client.attempt(made[6], 500)
    found = await pages(
        lambda cursor: listed(webhook_client, webhook.id, 2, cursor, response_status="5xx")
    )
    assert [[one.id for one in page.deliveries] for page in found] == [[made[6]], [], [made[0]]]
    (page,) = (await listed(webhook_client, webhook.id, 1, response_status="500")).deliveries
    assert page.id == made[6]


async def test_a_cursor_belongs_to_each_filter(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    webhook = (await webhook_client.create()).webhook
    for _ in range(2):
        await webhook_client.test(webhook.id)
    filters = {"event_type": "webhook.test", "until": timestamp(webhook_client.world.clock())}
    cursor = (await listed(webhook_client, webhook.id, 1, event_type="webhook.test")).next_cursor
    assert (
        await listed(webhook_client, webhook.id, 1, cursor, event_type="webhook.test")
    ).deliveries
    for other in ({}, filters, {"event_type": "key.created"}, {"response_status": "2xx"}):
        attempt = listed(webhook_client, webhook.id, 1, cursor, **other)
        found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
        assert found.fields == ("cursor",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("response_status", "6xx"),
        ("response_status", "20"),
        ("response_status", "2xx "),
        ("event_type", "key"),
        ("event_type", "key.created'--"),
        ("since", Timestamp(seconds=2**62)),
        ("until", Timestamp(nanos=-1)),
    ],
)
async def test_a_filter_that_means_nothing_is_named(
    webhook_client: WebhookClient, refused: Refused, field: str, value: Any
) -> None:
    attempt = listed(webhook_client, (await webhook_client.create()).webhook.id, **{field: value})
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == (field,)


async def test_times_of_any_year_are_taken(webhook_client: WebhookClient) -> None:
    webhook = (await webhook_client.create()).webhook
    await webhook_client.test(webhook.id)
    first, last = Timestamp(seconds=-62135596800), Timestamp(seconds=253402300799)
    assert len((await listed(webhook_client, webhook.id, since=first, until=last)).deliveries) == 1
    assert moment(first).year == 1
