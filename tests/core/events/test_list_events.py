"""Listing events: in their order, of the types that the caller may read, of 30 days."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import grpc
from portico.keys.v1 import api_key_service_pb2 as keys

from portico_kit.clock import timestamp
from tests.core.calls import pages
from tests.core.conftest import Refused
from tests.core.events.conftest import EventClient
from tests.core.world import Person


def numbers(page: object) -> list[int]:
    return [event.sequence for event in page.events]  # type: ignore[attr-defined]


async def test_pages_hold_every_event_once_in_either_order(event_client: EventClient) -> None:
    await event_client.happen(4)
    for order, expected in {"": [5, 4, 3, 2, 1], "oldest": [1, 2, 3, 4, 5]}.items():
        read = partial(event_client.list, limit=2, order=order)
        found = await pages(lambda cursor, read=read: read(cursor=cursor))  # type: ignore[misc]
        assert [one for page in found for one in numbers(page)] == expected


async def test_an_event_shows_what_happened(event_client: EventClient) -> None:
    await event_client.happen()
    (event,) = (await event_client.list(types=["project.created"])).events
    assert event.organization_id == event_client.organization_id
    assert (event.type, event.sequence) == ("project.created", 2)
    assert event.data["name"] == event_client.names[0]
    assert event.data["organizationId"] == event_client.organization_id


async def test_a_list_goes_on_after_a_position_and_from_a_time(event_client: EventClient) -> None:
    await event_client.happen(3)
    assert numbers(await event_client.list(after="2", order="oldest")) == [3, 4]
    early = event_client.world.clock() - timedelta(hours=2)
    await event_client.age(2, early)
    since = timestamp(early + timedelta(hours=1))
    assert numbers(await event_client.list(since=since, order="oldest")) == [3, 4]


async def test_events_are_shown_for_30_days(event_client: EventClient) -> None:
    await event_client.happen(2)
    await event_client.age(2, event_client.world.clock() - timedelta(days=30, seconds=1))
    assert numbers(await event_client.list()) == [3]


async def test_a_caller_sees_the_types_that_they_may_read_and_names_no_other(
    event_client: EventClient, refused: Refused
) -> None:
    await event_client.happen()
    metadata = await key_with(event_client, "events:read", "keys:read")
    assert {event.type for event in (await event_client.list(metadata)).events} == {"key.created"}
    call = event_client.list(metadata, types=["key.created", "project.created"])
    refusal = await refused(call, grpc.StatusCode.PERMISSION_DENIED, "PERMISSIONS_EXCEEDED")
    assert refusal.metadata["permissions"] == "projects:read"


async def test_what_is_no_type_is_named(event_client: EventClient, refused: Refused) -> None:
    call = event_client.list(types=["key.created", "key.never"])
    refusal = await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert list(refusal.fields) == ["types[1]"]


async def test_another_organization_has_no_events(
    event_client: EventClient, stranger: Person, refused: Refused
) -> None:
    call = event_client.list(stranger.metadata)
    await refused(call, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def key_with(event_client: EventClient, *scopes: str) -> tuple[tuple[str, str], ...]:
    """What calls with a new key carry; a worker has seen that it was created."""
    world = event_client.world
    request = keys.CreateApiKeyRequest(
        organization_id=event_client.organization_id, name="Reader", scopes=scopes
    )
    made = await world.keys.CreateApiKey(request, metadata=event_client.owner.metadata)
    await event_client.fan_out()
    return await world.key_metadata(made.secret)
