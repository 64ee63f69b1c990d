"""Server-sent events as a client meets them: words for every end, and nothing is kept for slow
readers."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.organizations.v1 import organization_service_pb2 as organizations
from sqlalchemy import text

from tests.core.events.conftest import EventClient
from tests.platform.event_streams import reading


def url(client: EventClient) -> str:
    return f"/api/v1/organizations/{client.organization_id}/events/stream"


def bearer(client: EventClient) -> dict[str, str]:
    return dict(client.owner.metadata)


async def test_a_position_whose_events_are_gone_is_reset_in_so_many_words(
    event_client: EventClient, http: aiohttp.ClientSession
) -> None:
    await event_client.happen(3)
    await event_client.age(2, event_client.world.clock() - timedelta(days=31))
    headers = {**bearer(event_client), "last-event-id": "1"}
    async with reading(http, url(event_client), headers) as stream:
        reset = await stream.next()
        assert (reset.event, reset.id, reset.json) == ("reset", "2", {"position": "2"})
        names = [(await stream.next()).json["data"]["name"] for _ in range(2)]
    assert names == event_client.names[1:]


async def test_heartbeats_come_and_move_the_position_over_other_types(
    event_client: EventClient, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.stream.registry.TICK_SECONDS", 0.02)
    await event_client.happen(2)
    query = {"types": "organization.created", "after": "0"}
    headers = bearer(event_client)
    async with http.get(url(event_client), params=query, headers=headers) as answer:
        lines: list[str] = []
        async with asyncio.timeout(10):
            while lines[-2:] != ["id: 3", ""]:
                lines.append((await answer.content.readline()).decode().rstrip("\n"))
            while lines[-2:] != [":", ""]:
                lines.append((await answer.content.readline()).decode().rstrip("\n"))
    assert lines.count("event: organization.created") == 1


async def test_a_reader_that_does_not_read_ends_with_a_word_and_can_go_on(
    event_client: EventClient, stream_socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.stream.slow.UNREAD_SECONDS", 0.5)
    monkeypatch.setattr("edge.stream.slow.LOOK_SECONDS", 0.1)
    await event_client.happen(9)
    await _inflate(event_client, 200_000)
    reader, writer = await asyncio.open_unix_connection(str(stream_socket), limit=4096)
    token = bearer(event_client)["authorization"]
    target = f"GET {url(event_client)}?after=1 HTTP/1.1\r\n"
    writer.write(f"{target}authorization: {token}\r\n\r\n".encode())
    await asyncio.sleep(3)
    async with asyncio.timeout(20):
        written = await reader.read(-1)
    writer.close()
    assert len(written) < 1_200_000, "more is kept than a reader may leave unread"
    assert b"event: error\ndata: " in written
    assert b"SLOW_CONSUMER" in written
    assert written.endswith(b"0\r\n\r\n")


async def _inflate(client: EventClient, size: int) -> None:
    """Makes the events of the organization large."""
    async with client.world.engine.begin() as connection:
        await connection.execute(
            text(
                "update events set data = data || jsonb_build_object('pad', repeat('x', :size))"
                " where organization_id = :id"
            ),
            {"size": size, "id": client.organization_id},
        )


async def test_streams_end_when_nobody_can_say_whether_they_may_go_on(
    event_client: EventClient, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.stream.registry.TRUSTED_SECONDS", 0.3)
    monkeypatch.setattr("edge.stream.registry.CHECK_SECONDS", 0.1)
    monkeypatch.setattr("edge.stream.registry.TICK_SECONDS", 0.1)
    async with reading(http, url(event_client), bearer(event_client)) as stream:
        monkeypatch.setattr(
            "edge.stream.core_client.TIMEOUT_SECONDS", 0.000001
        )  # The core is not heard any more.
        found = await stream.next()
        assert (found.event, found.json["code"]) == ("error", "UNAVAILABLE")


async def test_a_role_that_is_taken_narrows_a_stream_within_a_second(
    event_client: EventClient, http: aiohttp.ClientSession
) -> None:
    world, owner = event_client.world, event_client.owner
    member = await world.new_member(event_client.organization_id, owner, "member")
    await event_client.fan_out()
    async with reading(http, url(event_client), dict(member.metadata)) as stream:
        request = organizations.RemoveMemberRequest(
            organization_id=event_client.organization_id, user_id=member.id
        )
        await world.organizations.RemoveMember(request, metadata=owner.metadata)
        async with asyncio.timeout(2):
            found = await stream.next()
        assert (found.event, found.json["code"]) == ("error", "NOT_FOUND")


async def test_signing_out_ends_the_streams_of_the_session_within_a_second(
    event_client: EventClient, http: aiohttp.ClientSession
) -> None:
    async with reading(http, url(event_client), bearer(event_client)) as stream:
        await event_client.world.auth.Logout(
            auth.LogoutRequest(), metadata=event_client.owner.metadata
        )
        async with asyncio.timeout(2):
            found = await stream.next()
        assert (found.event, found.json["code"]) == ("error", "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "request_text",
    [
        "GET / HTTP/1.1\r\n\r\n",
        "GET /ws HTTP/1.1\r\n\r\n",
        "POST /api/v1/organizations/x/events/stream HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET /api/v1/organizations/x/events/stream?types=%FF HTTP/1.1\r\n\r\n",
        "GET /api/v1/organizations/%00/events/stream HTTP/1.1\r\n\r\n",
        "GET /api/v1/organizations/x/events/stream?" + "types=a.b&" * 99 + " HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_stream_is_an_error_in_the_one_shape(
    stream_socket: Path, request_text: str
) -> None:
    reader, writer = await asyncio.open_unix_connection(str(stream_socket))
    writer.write(request_text.encode())
    async with asyncio.timeout(10):
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    assert int(head.split()[1]) in (400, 401, 404, 422, 426)
    assert json.loads(body)["success"] is False
