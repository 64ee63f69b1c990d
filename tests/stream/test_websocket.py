"""WebSocket as a client meets it: flow control, hostile messages, and words for every end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType
from sqlalchemy import text

from portico_kit.testing.waiting import eventually
from tests.core.events.conftest import EventClient


class Socket:
    """A client's WebSocket."""

    def __init__(self, inner: aiohttp.ClientWebSocketResponse, client: EventClient) -> None:
        self.inner = inner
        self._client = client

    async def send(self, **message: Any) -> None:
        await self.inner.send_json(message)

    async def receive(self) -> Any:
        async with asyncio.timeout(10):
            return json.loads(await self.inner.receive_str())

    async def subscribe(self, name: str = "a", **fields: Any) -> Any:
        organization_id = self._client.organization_id
        await self.send(
            **{"type": "subscribe", "id": name, "organizationId": organization_id, **fields}
        )
        return await self.receive()

    async def positions(self, count: int) -> list[str]:
        return [(await self.receive())["position"] for _ in range(count)]

    async def close_code(self) -> int | None:
        async with asyncio.timeout(10):
            while (await self.inner.receive()).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED):
                pass
        return self.inner.close_code


@asynccontextmanager
async def connected(
    http: aiohttp.ClientSession, client: EventClient, **headers: str
) -> AsyncIterator[Socket]:
    credential = dict(client.owner.metadata)
    async with http.ws_connect("/ws", headers={**credential, **headers}) as socket:
        yield Socket(socket, client)


async def test_so_many_events_are_on_their_way_before_one_is_acknowledged(
    event_client: EventClient, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.stream.websocket.ACK_WINDOW", 3)
    await event_client.happen(7)
    async with connected(http, event_client) as socket:
        await socket.subscribe(after="1")
        assert await socket.positions(3) == ["2", "3", "4"]
        await socket.send(type="ping")
        assert await socket.receive() == {"type": "pong"}
        await socket.send(type="ack", id="a", position="3")
        assert await socket.positions(2) == ["5", "6"]
        # What was not given yet cannot be acknowledged.
        await socket.send(type="ack", id="a", position="8")
        await socket.send(type="ack", id="a", position="6")
        assert await socket.positions(2) == ["7", "8"]


async def test_what_was_acknowledged_is_saved_when_the_connection_is_lost(
    event_client: EventClient, http: aiohttp.ClientSession
) -> None:
    await event_client.happen(3)
    async with connected(http, event_client) as socket:
        await socket.subscribe(after="1", cursor="billing")
        await socket.positions(3)
        await socket.send(type="ack", id="a", position="3")
        await socket.send(type="ping")
        await socket.receive()

    async def saved() -> bool:
        async with event_client.world.engine.connect() as connection:
            rows = await connection.execute(
                text("select position from event_cursors where organization_id = :id"),
                {"id": event_client.organization_id},
            )
            return [row.position for row in rows] == [3]

    await eventually(saved)


async def test_subscriptions_are_apart(
    event_client: EventClient, http: aiohttp.ClientSession
) -> None:
    await event_client.happen(2)
    async with connected(http, event_client) as socket:
        await socket.subscribe("a", after="2")
        assert (await socket.receive())["id"] == "a"
        await socket.subscribe("b", after="0", types=["organization.created"])
        assert (await socket.receive())["event"]["type"] == "organization.created"
        await socket.send(type="unsubscribe", id="a")
        assert await socket.receive() == {"type": "unsubscribed", "id": "a"}
        await event_client.happen()
        await socket.send(type="ping")
        assert await socket.receive() == {"type": "pong"}


SUBSCRIBE = {"type": "subscribe", "id": "a", "organizationId": "x"}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "subscribe", "id": "a"}, "organizationId", "INVALID_TYPE"),
    ({**SUBSCRIBE, "id": ""}, "id", "INVALID_ID"),
    ({**SUBSCRIBE, "id": ["a"]}, "id", "INVALID_ID"),
    ({**SUBSCRIBE, "organizationId": "\ud800"}, "organizationId", "INVALID_TYPE"),
    ({**SUBSCRIBE, "types": "*"}, "types", "INVALID_TYPE"),
    ({**SUBSCRIBE, "after": None}, "after", "INVALID_TYPE"),
    (SUBSCRIBE, "organizationId", "STRING_UUID"),
    ({"type": "ack", "id": "nobody", "position": "1"}, "id", "NOT_SUBSCRIBED"),
    ({"type": "ack", "id": "a", "position": -1}, "position", "INVALID_TYPE"),
    ({"type": "ack", "id": "a", "position": "1e3"}, "position", "INVALID_POSITION"),
    ({"type": "unsubscribe"}, "id", "NOT_SUBSCRIBED"),
    ({"type": "authenticate", "accessToken": 1}, "accessToken", "INVALID_TYPE"),
    ({"type": "explode"}, "type", "UNKNOWN_TYPE"),
    ({}, "type", "UNKNOWN_TYPE"),
]


async def test_a_wrong_message_is_refused_by_name_and_the_connection_goes_on(
    event_client: EventClient, http: aiohttp.ClientSession
) -> None:
    async with connected(http, event_client) as socket:
        for message, field, code in REFUSED:
            await socket.send(**message)
            answer = await socket.receive()
            assert answer["type"] == "error"
            found = [(each["field"], each["code"]) for each in answer["error"]["details"]]
            assert found == [(field, code)], message
        assert (await socket.subscribe())["type"] == "subscribed"
        assert (await socket.subscribe())["error"]["details"][0]["code"] == "ID_TAKEN"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", 1007),
        ("[]", 1007),
        ("[" * 30_000, 1007),
        ("x" * 70_000, 1009),
        (b"{}", 1003),
    ],
)
async def test_what_is_no_message_ends_the_connection(
    event_client: EventClient, http: aiohttp.ClientSession, frame: str | bytes, code: int
) -> None:
    async with connected(http, event_client) as socket:
        if isinstance(frame, bytes):
            await socket.inner.send_bytes(frame)
        else:
            await socket.inner.send_str(frame)
        assert await socket.close_code() == code


async def test_subscribing_again_and_again_is_limited(
    event_client: EventClient, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.stream.websocket.MOST_SUBSCRIPTIONS", 2)
    async with connected(http, event_client) as socket:
        for name in "ab":
            assert (await socket.subscribe(name))["type"] == "subscribed"
        assert (await socket.subscribe("c"))["error"]["details"][0]["code"] == "TOO_MANY"
        answers = []
        for _ in range(60):
            await socket.send(type="authenticate", accessToken="x")
            answers.append((await socket.receive())["type"])
        assert answers[-1] == "error"


async def test_without_a_credential_nothing_is_shown_and_the_connection_ends(
    event_client: EventClient, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.stream.websocket.AUTHENTICATION_SECONDS", 0.3)
    async with connected(http, event_client, authorization="") as socket:
        assert (await socket.subscribe())["error"]["code"] == "UNAUTHENTICATED"
        assert await socket.close_code() == 4401


async def test_a_page_of_another_site_gets_no_connection(
    event_client: EventClient, http: aiohttp.ClientSession
) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:8080.evil.example", ""):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(http, event_client, origin=origin):
                pass
        assert refused.value.status == 403
    async with connected(http, event_client, origin="http://127.0.0.1:8080") as socket:
        assert (await socket.subscribe())["type"] == "subscribed"


async def test_who_sends_and_does_not_read_is_not_answered_without_end(
    event_client: EventClient, http: aiohttp.ClientSession, stream_socket: Path
) -> None:
    reader, writer = await asyncio.open_unix_connection(str(stream_socket), limit=4096)
    token = dict(event_client.owner.metadata)["authorization"]
    writer.write(
        f"GET /ws HTTP/1.1\r\nhost: portico\r\nauthorization: {token}\r\nupgrade: websocket\r\n"
        "connection: upgrade\r\nsec-websocket-version: 13\r\n"
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert b"101" in await reader.readline()
    # A masked ping of 125 bytes.
    ping = b"\x89\xfd" + bytes(4) + b"x" * 125

    async def flood() -> None:
        while True:
            writer.write(ping * 500)
            await writer.drain()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(flood(), 3)
    # It stands still: what was taken is what fits into buffers.
    assert writer.transport.get_write_buffer_size() > 0
    writer.transport.abort()
    async with connected(http, event_client) as socket:
        assert (await socket.subscribe())["type"] == "subscribed"
