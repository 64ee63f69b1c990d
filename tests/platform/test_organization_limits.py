"""Limits that an administrator sets hold at the edge, soon and without a restart."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from portico_kit.edge_state.limits import LIMITS_HASH
from portico_kit.testing.waiting import eventually
from tests.platform.conftest import Tenant, execute
from tests.stack import Stack


@pytest.fixture
async def limited(stack: Stack, new_tenant: Any) -> Tenant:
    """A tenant whose owner is an administrator of the platform, too."""
    made: Tenant = await new_tenant()
    await execute(
        stack, "update users set role = 'administrator' where id = %s", made.client.user["id"]
    )
    return made


async def policy(tenant: Tenant) -> str:
    """What the limits of a read are, as callers are told."""
    headers = {"authorization": f"Bearer {tenant.client.token}"}
    async with tenant.client.http.get("/api/v1/users/me", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return answer.headers.get("RateLimit-Policy", "")


async def seen(tenant: Tenant, wanted: str, seconds: float) -> float:
    """Waits until callers are told so, and says how long it took."""

    async def told() -> bool:
        return wanted in await policy(tenant)

    return await eventually(told, within=seconds, every=0.05)


async def test_limits_hold_within_a_second_and_after_valkey_was_emptied(
    stack: Stack, limited: Tenant
) -> None:
    assert '"minute";q=300;w=60' in await policy(limited)
    path = f"/organizations/{limited.organization_id}/limits"
    body = {"multiplierPercent": 200, "read": {"perHour": 777}, "pool": {"perDay": 5000}}
    await limited.client.call("PUT", path, body, expect=200)
    assert await seen(limited, '"minute";q=600;w=60, "hour";q=777;w=3600', 5) < 1
    assert '"organization-day";q=5000;w=86400' in await policy(limited)
    async with Redis.from_url(f"unix://{stack.settings.runtime_dir}/valkey.sock") as valkey:
        await valkey.delete(LIMITS_HASH)

        async def is_written_again() -> bool:
            return await valkey.hlen(LIMITS_HASH) >= 2

        await eventually(is_written_again)
    await stack.restart("ratelimit")
    await seen(limited, '"minute";q=600;w=60', 5)
