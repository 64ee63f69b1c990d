"""Filters of webhooks: set, changed, cleared, refused by their paths, and tried before."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from portico.webhooks.v1 import webhook_service_pb2 as pb
from portico.webhooks.v1.webhook_pb2 import FilteredEvent
from sqlalchemy import text

from tests.core.conftest import Refused
from tests.core.records import event, events
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import World

INVALID = grpc.StatusCode.INVALID_ARGUMENT
# As if as many webhooks had been created.
COPIES = text("""
    insert into events (id, organization_id, type, data, created_at)
    select gen_random_uuid(), organization_id, type, data, created_at
    from events, generate_series(1, :count) where events.id = :id
""")
PATTERN = {"data": {"tier": {"$in": ["pro", "enterprise"]}, "count": {"$gte": 3}}}


def struct(pattern: dict[str, Any]) -> Struct:
    made = Struct()
    made.update(pattern)
    return made


async def test_a_filter_is_shown_as_it_was_given_and_is_in_the_events(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create(filter=struct(PATTERN))).webhook
    assert MessageToDict(webhook.filter) == PATTERN
    assert (await webhook_client.get(webhook.id)).filter == webhook.filter
    told = await event(world, webhook_client.organization_id, "webhook.created")
    assert told.data["filter"] == PATTERN
    assert not (await webhook_client.create()).webhook.HasField("filter")


async def test_an_update_replaces_a_filter_as_a_whole_or_clears_it(
    webhook_client: WebhookClient,
) -> None:
    webhook = (await webhook_client.create(filter=struct(PATTERN))).webhook
    other = {"type": {"$startsWith": "key."}}
    updated = (await webhook_client.update(webhook.id, filter=struct(other))).webhook
    assert MessageToDict(updated.filter) == other
    described = (await webhook_client.update(webhook.id, description="Ledger")).webhook
    assert MessageToDict(described.filter) == other
    cleared = (await webhook_client.update(webhook.id, update_mask={"paths": ["filter"]})).webhook
    assert not cleared.HasField("filter")
    assert not (await webhook_client.create(filter=Struct())).webhook.HasField("filter")


async def test_a_mistake_is_named_by_its_path_wherever_a_filter_is_given(
    webhook_client: WebhookClient, world: World, refused: Refused
) -> None:
    wrong = struct({"data": {"tier": {"$regex": "p.*"}, "name": {"$in": ["a", {}]}}})
    webhook = (await webhook_client.create()).webhook
    previewing = pb.PreviewFilterRequest(
        organization_id=webhook_client.organization_id, filter=wrong
    )
    for attempt in (
        webhook_client.create(filter=wrong),
        webhook_client.update(webhook.id, filter=wrong),
        world.webhooks.PreviewFilter(previewing, metadata=webhook_client.owner.metadata),
    ):
        found = await refused(attempt, INVALID, "VALIDATION_ERROR")
        assert set(found.fields) == {"filter.data.tier.$regex", "filter.data.name.$in[1]"}
        assert set(found.reasons) == {"FILTER_INVALID"}


@pytest.mark.parametrize(
    "pattern",
    [
        {"data": {"count": {"$gt": float("nan")}}},
        {"data": {"name": "a\0b"}},
        {"data": {"na\0me": "a"}},
        {"data": {"name": {"$in": ["a" * 1000] * 5}}},
    ],
    ids=["nan", "nul", "nul in a name", "long"],
)
async def test_what_no_database_could_keep_is_refused_as_any_mistake(
    webhook_client: WebhookClient, refused: Refused, pattern: dict[str, Any]
) -> None:
    attempt = webhook_client.create(filter=struct(pattern))
    await refused(attempt, INVALID, "VALIDATION_ERROR")


async def previewed(
    client: WebhookClient, metadata: Any = None, **fields: Any
) -> list[FilteredEvent]:
    """What a preview says; the sum is right."""
    request = pb.PreviewFilterRequest(organization_id=client.organization_id, **fields)
    answer = await client.world.webhooks.PreviewFilter(
        request, metadata=metadata or client.owner.metadata
    )
    assert answer.sent_count == sum(one.sent for one in answer.events)
    return list(answer.events)


async def test_a_preview_says_what_would_be_sent_and_what_keeps_the_rest(
    webhook_client: WebhookClient, world: World
) -> None:
    ledger = (await webhook_client.create(description="Ledger")).webhook
    await webhook_client.create(description="Other")
    await webhook_client.test(ledger.id)
    await world.new_key(webhook_client.organization_id, webhook_client.owner)
    found = await previewed(
        webhook_client,
        event_types=["webhook.created"],
        filter=struct({"data": {"description": {"$startsWith": "L"}}}),
    )
    assert [(one.event_type, one.mismatch) for one in found][:3] == [
        ("key.created", "event_types"),
        ("webhook.created", "filter.data.description.$startsWith"),
        ("webhook.created", ""),
    ]
    # The newest first, and each is an event that there is: a test is none.
    known = [str(one.id) for one in await events(world, webhook_client.organization_id)]
    assert [one.event_id for one in found] == known[::-1]
    everything = await previewed(webhook_client)
    assert all(one.sent for one in everything)
    assert len(everything) == len(found)


async def test_a_preview_has_only_what_the_caller_may_read(
    webhook_client: WebhookClient, world: World, refused: Refused
) -> None:
    organization_id = webhook_client.organization_id
    await webhook_client.create()
    key = await world.new_key(organization_id, webhook_client.owner, "webhooks:read")
    metadata = await world.key_metadata(key.secret)
    found = await previewed(webhook_client, metadata)
    assert {one.event_type for one in found} == {"webhook.created"}
    naming = pb.PreviewFilterRequest(
        organization_id=organization_id, event_types=["*", "key.created"]
    )
    attempt = world.webhooks.PreviewFilter(naming, metadata=metadata)
    found_missing = await refused(
        attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSIONS_EXCEEDED"
    )
    assert found_missing.metadata == {"permissions": "keys:read"}
    stranger = await world.new_person()
    attempt = world.webhooks.PreviewFilter(
        pb.PreviewFilterRequest(organization_id=organization_id), metadata=stranger.metadata
    )
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_a_preview_has_the_last_hundred_events(
    webhook_client: WebhookClient, world: World
) -> None:
    await webhook_client.create(description="First")
    created = await event(world, webhook_client.organization_id, "webhook.created")
    async with world.engine.begin() as connection:
        await connection.execute(COPIES, {"id": created.id, "count": 110})
    await webhook_client.create(description="Last")
    found = await previewed(webhook_client, filter=struct({"data": {"description": "Last"}}))
    assert [one.sent for one in found] == [True] + [False] * 99


async def test_many_mistakes_with_long_names_are_still_told(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    """What is wrong travels in the trailers, which have a limit of their own."""
    wrong = struct({f"{n}{'😀' * 96}": {"$no": True} for n in range(10)})
    found = await refused(webhook_client.create(filter=wrong), INVALID, "VALIDATION_ERROR")
    assert len(found.fields) == 10
