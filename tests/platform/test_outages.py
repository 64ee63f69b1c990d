"""A part is down: a clear answer soon, and no hand is needed once it is back."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from portico_kit.testing.waiting import eventually
from tests.platform.conftest import Client, Tenant
from tests.stack import Stack

ANSWER_SECONDS = 6.0
RECOVERY_SECONDS = 20.0


@pytest.fixture
async def someone(new_tenant: Any) -> Tenant:
    """A tenant of this test's own: an outage uses limits up."""
    made: Tenant = await new_tenant()
    return made


@pytest.mark.parametrize("part", ["valkey", "ratelimit"])
async def test_without_the_limiter_the_api_is_served_and_guessing_is_not(
    stack: Stack, someone: Tenant, part: str
) -> None:
    await stack.kill(part)
    try:
        await _answers_503(someone, "/api/v1/health/ready")
        async with someone.client.http.get("/api/v1/users/me", headers=_bearer(someone)) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.headers["X-RateLimit-Status"] == "unavailable"
        async with someone.client.http.post("/api/v1/auth/login", json={}) as answer:
            assert answer.status == 503, await answer.text()
            assert int(answer.headers["Retry-After"]) >= 1
    finally:
        await stack.start(part)
    await _recovers(someone)
    async with someone.client.http.get("/api/v1/users/me", headers=_bearer(someone)) as answer:
        assert "X-RateLimit-Status" not in answer.headers


@pytest.mark.parametrize("part", ["postgres", "core"])
async def test_a_dead_part_is_503_with_retry_after_and_recovers(
    stack: Stack, someone: Tenant, part: str
) -> None:
    await stack.kill(part)
    try:
        for path in ("/api/v1/users/me", "/api/v1/health/ready"):
            await _answers_503(someone, path)
    finally:
        await stack.start(part)
    await _recovers(someone)


async def test_without_the_authorizer_keys_get_503_and_tokens_still_work(
    stack: Stack, someone: Tenant
) -> None:
    secret = await _new_key(someone)
    await stack.kill("authorize")
    try:
        async with stack.rest() as http:
            path = f"/organizations/{someone.organization_id}"
            await Client(http).call("GET", path, expect=503, x_api_key=secret)
        await someone.client.call("GET", "/users/me", expect=200)
    finally:
        await stack.start("authorize")


async def test_a_write_during_an_outage_is_wholly_done_or_not_at_all(
    stack: Stack, someone: Tenant
) -> None:
    path = f"/api/v1/organizations/{someone.organization_id}/webhooks"
    bodies = [{"url": f"http://127.0.0.1:9/{n}", "eventTypes": ["*"]} for n in range(12)]

    async def write(body: dict[str, Any]) -> int:
        async with someone.client.http.post(path, json=body, headers=_bearer(someone)) as answer:
            return answer.status

    writes = [asyncio.create_task(write(body)) for body in bodies]
    await asyncio.sleep(0.02)
    await stack.kill("postgres")
    statuses = await asyncio.gather(*writes)
    await stack.start("postgres")
    await _recovers(someone)
    listed = await someone.client.call("GET", path.removeprefix("/api/v1"), expect=200)
    assert len(listed) >= statuses.count(201)
    audited = [row["url"] for row in listed]
    assert len(set(audited)) == len(audited)


async def test_a_restart_forgets_nobody(stack: Stack, someone: Tenant) -> None:
    await stack.restart("core", "gateway")
    await _recovers(someone)


async def _answers_503(tenant: Tenant, path: str) -> None:
    started = time.monotonic()
    async with tenant.client.http.get(path, headers=_bearer(tenant)) as answer:
        body = await answer.json()
        assert answer.status == 503, body
        assert int(answer.headers["Retry-After"]) >= 1
        assert body["error"]["code"] in {"UNAVAILABLE", "NOT_READY"}
    assert time.monotonic() - started < ANSWER_SECONDS


async def _recovers(tenant: Tenant) -> None:
    async def served() -> bool:
        headers = _bearer(tenant)
        async with tenant.client.http.get("/api/v1/users/me", headers=headers) as answer:
            return answer.status == 200

    await eventually(served, within=RECOVERY_SECONDS, every=0.1)


async def _new_key(tenant: Tenant) -> str:
    path = f"/organizations/{tenant.organization_id}/api-keys"
    body = {"name": "a key", "scopes": ["organization:read"]}
    secret: str = (await tenant.client.call("POST", path, body, expect=201))["secret"]
    return secret


def _bearer(tenant: Tenant) -> dict[str, str]:
    return {"authorization": f"Bearer {tenant.client.token}"}
