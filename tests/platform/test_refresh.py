"""Refresh tokens at the front door: each is charged to whoever holds it."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.platform.conftest import PASSWORD, Client, Tenant

MADE_UP = 80  # more than the sixty that an address may send in a minute


async def attempt(client: Client, refresh_token: str) -> int:
    """The status of a refresh; a 429 says when to come back."""
    body = {"refreshToken": refresh_token}
    async with client.http.post("/api/v1/auth/refresh", json=body) as answer:
        assert answer.status != 429 or int(answer.headers["retry-after"]) > 0
        return answer.status


async def test_made_up_refresh_tokens_do_not_shut_a_neighbour_out(new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant()
    neighbour = Client(tenant.client.http)  # the same address
    login = {"email": tenant.email, "password": PASSWORD}
    pair = await neighbour.call("POST", "/auth/login", login, expect=200)
    guesses = (attempt(neighbour, f"made up {number}") for number in range(MADE_UP))
    assert set(await asyncio.gather(*guesses)) == {401, 429}
    assert await attempt(neighbour, pair["refreshToken"]) == 200


async def test_a_refresh_token_in_a_loop_uses_up_its_own_budget(new_tenant: Any) -> None:
    tenant, other = await new_tenant(), await new_tenant()
    login = {"email": tenant.email, "password": PASSWORD}
    pair = await tenant.client.call("POST", "/auth/login", login, expect=200)
    repeated = (attempt(tenant.client, pair["refreshToken"]) for _ in range(MADE_UP))
    assert set(await asyncio.gather(*repeated)) == {200, 429}
    login = {"email": other.email, "password": PASSWORD}
    theirs = await other.client.call("POST", "/auth/login", login, expect=200)
    assert await attempt(tenant.client, theirs["refreshToken"]) == 200
