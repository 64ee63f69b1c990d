"""Streams of events through the front door: server-sent events and WebSocket."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from portico_kit.testing.waiting import eventually
from tests.platform.conftest import Tenant
from tests.platform.event_streams import Follower, reading
from tests.stack import Stack

READ = ["events:read", "projects:read", "keys:read", "organization:read", "members:read"]


def events(tenant: Tenant) -> str:
    return f"/organizations/{tenant.organization_id}/events"


def url(tenant: Tenant) -> str:
    return f"/api/v1{events(tenant)}/stream"


def bearer(tenant: Tenant) -> dict[str, str]:
    return {"authorization": f"Bearer {tenant.client.token}"}


async def happen(tenant: Tenant, count: int = 1) -> list[str]:
    """So many projects are created; gives their names."""
    names = [f"Project {uuid4().hex}" for _ in range(count)]
    for name in names:
        path = f"/organizations/{tenant.organization_id}/projects"
        await tenant.client.call("POST", path, {"name": name}, expect=201)
    return names


async def last_position(tenant: Tenant) -> str:
    """The position of the newest event, once the workers have seen that nothing is left."""
    (name,) = await happen(tenant)

    async def newest() -> Any:
        found = await tenant.client.call("GET", f"{events(tenant)}?limit=1", expect=200)
        return found[0] if found and found[0]["data"].get("name") == name else None

    await eventually(newest, 30)
    return str((await newest())["sequence"])


async def new_key(tenant: Tenant, scopes: list[str]) -> tuple[str, dict[str, str]]:
    """The id of a new API key, and the header of its calls."""
    path = f"/organizations/{tenant.organization_id}/api-keys"
    made = await tenant.client.call("POST", path, {"name": "k", "scopes": scopes}, expect=201)
    return made["apiKey"]["id"], {"x-api-key": made["secret"]}


async def test_events_come_in_order_with_the_text_that_webhooks_get(tenant: Tenant) -> None:
    after = await last_position(tenant)
    http = tenant.client.http
    async with reading(http, url(tenant), bearer(tenant), after=after) as stream:
        assert stream.answer.headers["content-type"] == "text/event-stream"
        assert "x-ratelimit-limit" in stream.answer.headers
        names = await happen(tenant, 3)
        found = [await stream.next() for _ in names]
    assert [int(one.id or 0) - int(after) for one in found] == [1, 2, 3]
    assert [one.json["data"]["name"] for one in found] == names
    first = found[0]
    assert list(first.json) == ["type", "timestamp", "id", "organizationId", "data"]
    assert first.event == first.json["type"] == "project.created"
    headers = {**bearer(tenant), "last-event-id": first.id or ""}
    async with reading(http, url(tenant), headers, after="0") as stream:
        assert (await stream.next()).id == found[1].id


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("types=key.never", 422, "VALIDATION_ERROR"),
        ("after=yesterday", 422, "VALIDATION_ERROR"),
        ("colour=red", 422, "VALIDATION_ERROR"),
        ("since=yesterday", 422, "VALIDATION_ERROR"),
        ("types=user.created", 422, "VALIDATION_ERROR"),
    ],
)
async def test_what_is_wrong_is_said_before_the_stream(
    tenant: Tenant, query: str, status: int, code: str
) -> None:
    error = await tenant.client.call("GET", f"{events(tenant)}/stream?{query}", expect=status)
    assert error["code"] == code
    assert error["requestId"]
    assert error["details"][0]["field"].split("[")[0] == query.split("=")[0]


async def test_a_stream_is_for_those_who_may_read_what_it_shows(
    tenant: Tenant, stranger: Tenant
) -> None:
    http, call = tenant.client.http, stranger.client.call
    async with http.get(url(tenant)) as answer:
        assert answer.status == 401
        assert "www-authenticate" in answer.headers
    error = await call("GET", f"{events(tenant)}/stream", expect=404)
    assert error["code"] == "NOT_FOUND"
    _, narrow = await new_key(tenant, ["keys:read"])
    async with http.get(url(tenant), headers=narrow) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (
            403,
            "PERMISSION_DENIED",
        )
    _, reader = await new_key(tenant, ["events:read", "keys:read"])
    async with http.get(url(tenant), headers=reader, params={"types": "project.created"}) as answer:
        error = (await answer.json())["error"]
        assert (answer.status, error["code"]) == (403, "PERMISSIONS_EXCEEDED")
    for verb in ("POST", "HEAD", "DELETE"):
        async with http.request(verb, url(tenant), headers=bearer(tenant)) as answer:
            assert answer.status == 405


async def test_a_stream_of_everything_shows_what_its_caller_may_read(tenant: Tenant) -> None:
    after = await last_position(tenant)
    _, reader = await new_key(tenant, ["events:read", "keys:read"])
    await happen(tenant)
    await new_key(tenant, ["keys:read"])
    async with reading(tenant.client.http, url(tenant), reader, after=after) as stream:
        assert [(await stream.next()).event for _ in range(2)] == ["key.created"] * 2


async def test_a_stream_ends_within_a_second_of_what_takes_it_away(tenant: Tenant) -> None:
    key_id, header = await new_key(tenant, READ)
    async with reading(tenant.client.http, url(tenant), header) as stream:
        began = time.monotonic()
        await tenant.client.call("POST", f"/api-keys/{key_id}/revoke", {}, expect=200)
        # Whether the event itself is seen depends on which is faster.
        found = await stream.next()
        while found.event != "error":
            found = await stream.next()
        assert found.json["code"] == "UNAUTHENTICATED"
        assert await stream.is_over()
        assert time.monotonic() - began < 2.0
    async with tenant.client.http.get(url(tenant), headers=header) as answer:
        assert answer.status == 401


# WebSocket ------------------------------------------------------------------------------


@asynccontextmanager
async def connected(
    http: aiohttp.ClientSession, headers: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with http.ws_connect("/ws", headers=headers or {}, **options) as socket:
        yield socket


async def receive(socket: aiohttp.ClientWebSocketResponse) -> Any:
    async with asyncio.timeout(15):
        return json.loads(await socket.receive_str())


async def subscribe(socket: aiohttp.ClientWebSocketResponse, tenant: Tenant, **fields: Any) -> Any:
    request = {"type": "subscribe", "id": "s", "organizationId": tenant.organization_id}
    await socket.send_json({**request, **fields})
    return await receive(socket)


async def test_a_websocket_has_subscriptions_with_acknowledged_cursors(tenant: Tenant) -> None:
    after = await last_position(tenant)
    http, cursor = tenant.client.http, f"c-{uuid4().hex[:8]}"
    async with connected(http, bearer(tenant)) as socket:
        answer = await subscribe(socket, tenant, after=after, cursor=cursor)
        assert answer == {"type": "subscribed", "id": "s", "position": after}
        names = await happen(tenant, 2)
        found = [await receive(socket) for _ in names]
        assert [one["event"]["data"]["name"] for one in found] == names
        await socket.send_json({"type": "ack", "id": "s", "position": found[0]["position"]})
        await socket.send_json({"type": "ping"})
        assert await receive(socket) == {"type": "pong"}
    async with connected(http, bearer(tenant)) as socket:

        async def resumed() -> bool:
            name = uuid4().hex
            answer = await subscribe(socket, tenant, cursor=cursor, after="now", id=name)
            await socket.send_json({"type": "unsubscribe", "id": name})
            while (await receive(socket))["type"] != "unsubscribed":
                pass
            return bool(answer["position"] == found[0]["position"])

        await eventually(resumed)


async def test_a_page_presents_its_token_in_a_message_and_comes_from_a_known_origin(
    stack: Stack, tenant: Tenant
) -> None:
    http = tenant.client.http
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect("/ws", headers={"origin": "https://evil.example"})
    assert refused.value.status == 403
    async with connected(http, {"origin": stack.base_url}) as socket:
        answer = await subscribe(socket, tenant)
        assert (answer["type"], answer["error"]["code"]) == ("error", "UNAUTHENTICATED")
        await socket.send_json({"type": "authenticate", "accessToken": tenant.client.token})
        assert (await receive(socket))["type"] == "authenticated"
        assert (await subscribe(socket, tenant))["type"] == "subscribed"


# Faults ------------------------------------------------------------------------------------


async def test_whoever_follows_has_every_event_once_whatever_is_killed(
    stack: Stack, tenant: Tenant
) -> None:
    after = await last_position(tenant)
    async with stack.rest() as http:
        followers = [Follower(http, url(tenant), bearer(tenant), position=after) for _ in range(5)]
        tasks = [asyncio.create_task(one.run()) for one in followers]
        for part in ("stream", "worker", "valkey"):
            await happen(tenant, 3)
            await stack.kill(part)
            try:
                await happen(tenant, 2)
            finally:
                await stack.start(part)
        await happen(tenant, 3)
        last = int(await last_position(tenant))

        await eventually(lambda: all(last in one.seen for one in followers), 30)
        for task in tasks:
            task.cancel()
    expected = list(range(int(after) + 1, last + 1))
    assert [one.seen for one in followers] == [expected] * 5
    assert sum(one.resets for one in followers) == 0
    assert min(one.connections for one in followers) > 1
