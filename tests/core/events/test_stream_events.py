"""Streams: every event once, in order, from where the client was; never a silent gap."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from portico.auth.v1 import auth_service_pb2 as auth

from tests.core.conftest import Refused
from tests.core.events.conftest import EventClient
from tests.core.world import Person, World

DENIED = grpc.StatusCode.PERMISSION_DENIED
INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_a_stream_brings_what_happens_from_now_on(event_client: EventClient) -> None:
    await event_client.happen()
    async with event_client.streaming(after="now") as stream:
        await asyncio.sleep(0.3)
        await event_client.happen(2)
        assert await stream.names(2) == event_client.names[1:]


async def test_a_stream_goes_on_after_a_position(event_client: EventClient) -> None:
    await event_client.happen(2)
    async with event_client.streaming(after="2") as stream:
        step = await stream.step()
        assert (step.position, step.event.sequence) == ("3", 3)
        await event_client.happen(3)
        assert await stream.names(3) == event_client.names[2:]


async def test_a_stream_from_a_time_starts_with_what_happened_then(
    event_client: EventClient,
) -> None:
    await event_client.happen(3)
    early = event_client.world.clock() - timedelta(hours=2)
    await event_client.age(2, early)
    since = (early + timedelta(hours=1)).isoformat()
    async with event_client.streaming(after=since) as stream:
        assert await stream.names(2) == event_client.names[1:]


async def test_types_narrow_a_stream_and_it_says_how_far_it_has_come(
    event_client: EventClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.features.events.service.PROGRESS_SECONDS", 0.2)
    await event_client.happen(2)
    async with event_client.streaming(after="0", types=["organization.created"]) as stream:
        assert (await stream.step()).event.type == "organization.created"
        step = await stream.step()
        assert (step.position, step.HasField("event")) == ("3", False)


@pytest.mark.parametrize("after", ["1", "99"])
async def test_a_position_whose_events_are_gone_is_reset_in_so_many_words(
    event_client: EventClient, after: str
) -> None:
    await event_client.happen(3)
    await event_client.age(2, event_client.world.clock() - timedelta(days=31))
    async with event_client.streaming(after=after) as stream:
        step = await stream.step()
        expected = "2" if after == "1" else "4"
        assert (step.reset, step.position) == (True, expected)
        await event_client.happen()
        rest = await stream.names(3 if after == "1" else 1)
        assert rest == event_client.names[-len(rest) :]


async def test_a_stream_goes_on_where_its_cursor_was_saved(event_client: EventClient) -> None:
    await event_client.happen(3)
    saved = await event_client.save("billing", "2")
    assert (saved.name, saved.position) == ("billing", "2")
    async with event_client.streaming(cursor="billing", after="0") as stream:
        assert await stream.names(2) == event_client.names[1:]
    async with event_client.streaming(cursor="another", after="3") as stream:
        assert await stream.names(1) == event_client.names[2:]


async def test_a_cursor_is_the_callers_own(
    event_client: EventClient, world: World, refused: Refused
) -> None:
    await event_client.happen(2)
    await event_client.save("billing", "2")
    viewer = await world.new_member(event_client.organization_id, event_client.owner, "viewer")
    await event_client.save("billing", "1", viewer.metadata)
    async with event_client.streaming(cursor="billing") as stream:
        assert (await stream.step()).position == "3"
    call = event_client.save("billing", "1000")
    assert list((await refused(call, INVALID, "VALIDATION_ERROR")).fields) == ["position"]


async def test_what_is_no_position_is_refused(event_client: EventClient, refused: Refused) -> None:
    for after in ("yesterday", "-1", "2026-01-01T00:00:00", "9" * 19, "0x1", "\u0661"):
        stream = event_client.streamed(after=after)
        refusal = await refused(stream.read(), INVALID, "VALIDATION_ERROR")
        assert list(refusal.fields) == ["after"]


async def test_a_stream_ends_within_a_second_of_signing_out(
    event_client: EventClient, world: World, refused: Refused
) -> None:
    async with event_client.streaming(after="0") as stream:
        await stream.step()
        # Whoever waits for changes has said so.
        await asyncio.sleep(0.3)
        await world.auth.Logout(auth.LogoutRequest(), metadata=event_client.owner.metadata)
        async with asyncio.timeout(2):
            await refused(stream.call.read(), grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_what_is_no_time_is_refused(event_client: EventClient, refused: Refused) -> None:
    never = Timestamp(seconds=10**17)
    for call in (event_client.list(since=never), event_client.streamed(since=never).read()):
        refusal = await refused(call, INVALID, "VALIDATION_ERROR")
        assert list(refusal.fields) == ["since"]


async def test_another_organization_has_no_stream(
    event_client: EventClient, stranger: Person, refused: Refused
) -> None:
    stream = event_client.streamed(stranger.metadata)
    await refused(stream.read(), grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_an_organization_has_the_streams_of_its_tier(
    event_client: EventClient, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setattr("server.features.events.places.MAX_STREAMS", {"free": 1})
    async with event_client.streaming(after="0") as stream:
        await stream.step()
        another = event_client.streamed()
        code = grpc.StatusCode.RESOURCE_EXHAUSTED
        await refused(another.read(), code, "STREAM_LIMIT_REACHED")
