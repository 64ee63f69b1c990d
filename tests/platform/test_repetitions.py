"""A write that is repeated with its Idempotency-Key, through the front door."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import aiohttp

from tests.platform.conftest import PASSWORD, Client, Tenant
from tests.stack import Stack


async def send(
    client: Client, verb: str, path: str, key: str, content: bytes | None = None
) -> tuple[int, str | None, dict[str, Any]]:
    """One request with a key: the status, Idempotent-Replayed and the body."""
    headers = {"idempotency-key": key, "authorization": f"Bearer {client.token}"}
    if content is not None:
        headers["content-type"] = "application/json"
    async with client.http.request(verb, f"/api/v1{path}", data=content, headers=headers) as answer:
        body = await answer.json() if answer.content_type == "application/json" else {}
        return answer.status, answer.headers.get("idempotent-replayed"), body


async def twice(client: Client, verb: str, path: str) -> list[tuple[int, str | None]]:
    """The same request two times, with one key."""
    key = str(uuid4())
    found = [await send(client, verb, path, key) for _ in range(2)]
    return [(status, replayed) for status, replayed, _ in found]


async def another_session(stack: Stack, tenant: Tenant) -> Client:
    client = Client(tenant.client.http)
    login = {"email": tenant.email, "password": PASSWORD}
    client.token = (await client.call("POST", "/auth/login", login, expect=200))["accessToken"]
    return client


async def test_what_ends_the_callers_access_is_repeated_as_it_was_answered(
    stack: Stack, new_tenant: Any
) -> None:
    tenant: Tenant = await new_tenant()
    client = await another_session(stack, tenant)
    founded = await client.call("POST", "/organizations", {"name": "Short"}, expect=201)
    path = f"/organizations/{founded['id']}"
    assert await twice(client, "DELETE", path) == [(204, None), (204, "true")]
    sessions = await client.call("GET", "/auth/sessions", expect=200)
    own = next(f"/auth/sessions/{one['id']}" for one in sessions if one["current"])
    assert await twice(client, "DELETE", own) == [(204, None), (204, "true")]
    assert (await send(client, "DELETE", own, str(uuid4())))[0] == 401
    assert (await send(client, "GET", "/users/me", str(uuid4())))[0] == 401


async def test_each_sign_in_gives_tokens_of_its_own(stack: Stack, new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant()
    login = {"email": tenant.email, "password": PASSWORD}
    stranger = Client(tenant.client.http)
    tokens = {
        (await stranger.call("POST", "/auth/login", login, expect=200, idempotency_key="k"))[
            "accessToken"
        ]
        for _ in range(2)
    }
    assert len(tokens) == 2


async def test_a_secret_is_shown_once_and_its_key_named_afterwards(tenant: Tenant) -> None:
    path = f"/organizations/{tenant.organization_id}/api-keys"
    key = str(uuid4())
    asked = {"name": "a key", "scopes": ["keys:read"]}
    made = await tenant.client.call("POST", path, asked, expect=201, idempotency_key=key)
    again = await tenant.client.call("POST", path, asked, expect=409, idempotency_key=key)
    assert again["code"] == "CREDENTIAL_NOT_REPLAYED"
    (detail,) = again["details"]
    assert detail["field"] == "Idempotency-Key"
    assert made["apiKey"]["id"] in detail["message"]
    assert made["secret"] not in str(again)


async def test_the_same_json_in_other_bytes_is_the_same_request(tenant: Tenant) -> None:
    key = str(uuid4())
    sent = (b'{"bio":"One.","displayName":"Ada"}', b'{ "displayName": "Ada",\n "bio": "One." }')
    found = [await send(tenant.client, "PATCH", "/users/me", key, content) for content in sent]
    assert [(status, replayed) for status, replayed, _ in found] == [(200, None), (200, "true")]
    assert found[0][2]["data"] == found[1][2]["data"]


async def test_a_key_that_was_used_is_not_said_to_be_unchanged(
    stack: Stack, tenant: Tenant
) -> None:
    path = f"/organizations/{tenant.organization_id}/api-keys"
    asked = {"name": "a key", "scopes": ["keys:read"]}
    made = await tenant.client.call("POST", path, asked, expect=201)
    url = f"/api/v1/api-keys/{made['apiKey']['id']}"
    headers = {"authorization": f"Bearer {tenant.client.token}"}

    async def read(tag: str = "") -> aiohttp.ClientResponse:
        known = {"if-none-match": tag} if tag else {}
        async with tenant.client.http.get(url, headers={**headers, **known}) as answer:
            await answer.read()
            return answer

    tag = (await read()).headers["etag"]
    assert (await read(tag)).status == 304
    changed = {**headers, "if-match": tag}
    async with tenant.client.http.patch(url, json={"name": "b"}, headers=changed) as answer:
        assert answer.status == 200
    assert (await read(tag)).status == 200
