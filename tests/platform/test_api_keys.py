"""API keys through the front door: what a stranger learns, and how soon a change counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from portico_kit.testing.waiting import eventually
from portico_kit.tokens import new_api_key
from tests.platform.conftest import Tenant, execute
from tests.stack import Stack
from tests.support.http import HttpResponse

FORGET_SECONDS = 1.0
# Counts are handed over every five seconds.
COUNTED_SECONDS = 12.0


async def create(tenant: Tenant, **fields: Any) -> tuple[str, str]:
    """A new key that may read keys: its id and its secret."""
    made = await tenant.client.call(
        "POST",
        f"/organizations/{tenant.organization_id}/api-keys",
        {"name": "a key", "scopes": ["keys:read"], **fields},
        expect=201,
    )
    return made["apiKey"]["id"], made["secret"]


async def change(tenant: Tenant, key_id: str, action: str = "", **fields: Any) -> Any:
    """The owner changes a key, or does something to it."""
    verb, path = ("POST", f"/{action}") if action else ("PATCH", "")
    return await tenant.client.call(verb, f"/api-keys/{key_id}{path}", fields, expect=200)


def comparable(response: HttpResponse) -> tuple[int, dict[str, str], bytes]:
    """All of a response but what differs between any two requests."""
    request_id = response.headers["x-request-id"].encode()
    headers = {name.lower(): value for name, value in response.headers.items()}
    shown = {k: v for k, v in headers.items() if k not in ("x-request-id", "date")}
    return response.status, shown, response.body.replace(request_id, b"")


async def use(tenant: Tenant, client: aiohttp.ClientSession, secret: str) -> HttpResponse:
    """A program lists the keys of the organization."""
    path = f"/api/v1/organizations/{tenant.organization_id}/api-keys"
    async with client.get(path, headers={"x-api-key": secret}) as answer:
        return HttpResponse(answer.status, answer.headers, await answer.read())


async def status(tenant: Tenant, client: aiohttp.ClientSession, secret: str) -> int:
    return (await use(tenant, client, secret)).status


async def becomes(wanted: int, ask: Callable[[], Awaitable[int]]) -> float:
    """Waits until the answer has this status, and says how many seconds it took."""

    async def is_so() -> bool:
        return await ask() == wanted

    return await eventually(is_so, within=5, every=0)


async def test_a_stranger_is_told_the_same_bytes_whatever_is_wrong_with_a_key(
    stack: Stack, tenant: Tenant, stranger: Tenant
) -> None:
    revoked_id, revoked = await create(tenant)
    await change(tenant, revoked_id, "revoke")
    replaced_id, replaced = await create(tenant)
    await change(tenant, replaced_id, "rotate", overlapSeconds=0)
    expired_id, expired = await create(tenant)
    await execute(stack, "update api_keys set expires_at = now() where id = %s", expired_id)
    foreign_id, foreign = await create(stranger)
    await change(stranger, foreign_id, "revoke")
    unknown = new_api_key("test")
    mistyped = unknown[:-1] + ("x" if unknown[-1] != "x" else "y")
    wrong = [revoked, replaced, expired, foreign, unknown, mistyped, "nonsense", "pk_test_"]
    async with stack.rest() as client:
        # Once as the core says it, once from memory.
        answers = [await use(tenant, client, secret) for secret in wrong * 2]
    assert answers[0].status == 401
    assert [comparable(answer) for answer in answers] == [comparable(answers[0])] * len(answers)


async def test_a_revoked_key_is_refused_within_a_second(stack: Stack, tenant: Tenant) -> None:
    key_id, secret = await create(tenant)
    async with stack.rest() as client:
        assert await status(tenant, client, secret) == 200
        await change(tenant, key_id, "revoke")
        assert await becomes(401, lambda: status(tenant, client, secret)) < FORGET_SECONDS


async def test_a_rotated_key_has_two_secrets_for_the_overlap_and_one_after_it(
    stack: Stack, tenant: Tenant
) -> None:
    key_id, old = await create(tenant)
    async with stack.rest() as client:
        assert await status(tenant, client, old) == 200
        new = (await change(tenant, key_id, "rotate", overlapSeconds=2))["secret"]
        assert [await status(tenant, client, secret) for secret in (old, new)] == [200, 200]
        await asyncio.sleep(2)
        assert await becomes(401, lambda: status(tenant, client, old)) < FORGET_SECONDS
        assert await status(tenant, client, new) == 200


async def test_where_a_key_may_be_used_from_changes_within_a_second(
    stack: Stack, tenant: Tenant
) -> None:
    key_id, secret = await create(tenant)
    async with stack.rest() as client:
        assert await status(tenant, client, secret) == 200
        await change(tenant, key_id, allowedCidrs=["192.0.2.0/24"])
        assert await becomes(403, lambda: status(tenant, client, secret)) < FORGET_SECONDS
        refusal = await use(tenant, client, secret)
        assert b'"ADDRESS_NOT_ALLOWED"' in refusal.body
        home = {"x-forwarded-for": "192.0.2.7"}
        async with aiohttp.ClientSession(stack.base_url, headers=home) as there:
            assert await status(tenant, there, secret) == 200


@pytest.mark.parametrize("wrong", ["192.0.2.1/24", "office"])
async def test_a_malformed_network_is_named(tenant: Tenant, wrong: str) -> None:
    fields = {"name": "a key", "scopes": ["keys:read"], "allowedCidrs": [wrong]}
    path = f"/organizations/{tenant.organization_id}/api-keys"
    error = await tenant.client.call("POST", path, fields, expect=422)
    assert [detail["field"] for detail in error["details"]] == ["allowedCidrs[0]"]


async def test_every_use_is_counted_also_those_from_memory(stack: Stack, tenant: Tenant) -> None:
    key_id, secret = await create(tenant)
    async with stack.rest() as client:
        for _ in range(7):
            assert await status(tenant, client, secret) == 200

    async def counted() -> bool:
        return bool((await read())["useCount"] == "7")

    async def read() -> Any:
        return await tenant.client.call("GET", f"/api-keys/{key_id}", expect=200)

    await eventually(counted, within=COUNTED_SECONDS, every=0.5)
    key = await read()
    used = datetime.fromisoformat(key["lastUsedAt"])
    assert abs(datetime.now(UTC) - used) < timedelta(seconds=30)
