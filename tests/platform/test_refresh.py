"""Refresh tokens at the front door: a good one is charged to its session."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import aiohttp
import psycopg
import pytest

from tests.platform.conftest import PASSWORD, Client, Tenant, execute
from tests.platform.test_hanging_parts import stopped
from tests.stack import Stack

MADE_UP = 80  # more than the sixty that an address may send in a minute


async def attempt(client: Client, refresh_token: str) -> int:
    """The status of a refresh; a 429 says when to come back."""
    body = {"refreshToken": refresh_token}
    async with client.http.post("/api/v1/auth/refresh", json=body) as answer:
        assert answer.status != 429 or int(answer.headers["retry-after"]) > 0
        return answer.status


async def few_at_once(attempts: Sequence[Coroutine[Any, Any, int]]) -> list[int]:
    """What becomes of attempts; so few at a time that none waits for a connection."""
    free = asyncio.Semaphore(8)

    async def one(made: Coroutine[Any, Any, int]) -> int:
        async with free:
            return await made

    return await asyncio.gather(*map(one, attempts))


async def test_made_up_refresh_tokens_do_not_shut_a_neighbour_out(new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant()
    neighbour = Client(tenant.client.http)  # the same address
    login = {"email": tenant.email, "password": PASSWORD}
    pair = await neighbour.call("POST", "/auth/login", login, expect=200)
    guesses = [attempt(neighbour, f"made up {number}") for number in range(MADE_UP)]
    assert set(await few_at_once(guesses)) == {401, 429}
    assert await attempt(neighbour, pair["refreshToken"]) == 200


async def test_a_refresh_token_in_a_loop_uses_up_its_own_budget(new_tenant: Any) -> None:
    tenant, other = await new_tenant(), await new_tenant()
    login = {"email": tenant.email, "password": PASSWORD}
    pair = await tenant.client.call("POST", "/auth/login", login, expect=200)
    repeated = [attempt(tenant.client, pair["refreshToken"]) for _ in range(MADE_UP)]
    assert set(await few_at_once(repeated)) == {200, 429}
    login = {"email": other.email, "password": PASSWORD}
    theirs = await other.client.call("POST", "/auth/login", login, expect=200)
    assert await attempt(tenant.client, theirs["refreshToken"]) == 200


async def sign_in(tenant: Tenant) -> str:
    """The refresh token of a new session."""
    login = {"email": tenant.email, "password": PASSWORD}
    pair = await tenant.client.call("POST", "/auth/login", login, expect=200)
    return str(pair["refreshToken"])


OUTDATED = {
    "session ended": "update sessions set revoked_at = now() where id = %s",
    "session expired": "update sessions set expires_at = now() where id = %s",
}


@pytest.mark.parametrize("change", OUTDATED.values(), ids=OUTDATED)
async def test_an_old_token_in_others_hands_uses_up_nothing_of_its_person(
    change: str, new_tenant: Any, stack: Stack
) -> None:
    tenant, thief = await new_tenant(), await new_tenant()
    old, good = await sign_in(tenant), await sign_in(tenant)
    await execute(stack, change, await older_session(stack, tenant.client.user["id"]))
    repeated = [attempt(thief.client, old) for _ in range(MADE_UP)]
    assert set(await few_at_once(repeated)) == {401, 429}
    assert await attempt(tenant.client, good) == 200


async def older_session(stack: Stack, user_id: str) -> str:
    """The session before the newest of a person."""
    query = "select id from sessions where user_id = %s order by id desc offset 1 limit 1"
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        row = await (await connection.execute(query, (user_id,))).fetchone()
    assert row is not None
    return str(row[0])


async def test_a_device_in_a_loop_signs_out_no_other_device(new_tenant: Any) -> None:
    tenant = await new_tenant()
    looping, other = await sign_in(tenant), await sign_in(tenant)
    repeated = [attempt(tenant.client, looping) for _ in range(MADE_UP)]
    assert set(await few_at_once(repeated)) == {200, 429}
    assert await attempt(tenant.client, other) == 200


async def test_reuse_is_found_when_nothing_is_left_of_the_budgets(
    new_tenant: Any, stack: Stack
) -> None:
    tenant = await new_tenant()
    stolen = await sign_in(tenant)
    successor = await successor_of(tenant.client, await successor_of(tenant.client, stolen))
    guesses = [attempt(tenant.client, f"made up {number}") for number in range(MADE_UP)]
    assert 429 in await few_at_once(guesses)
    repeated = [attempt(tenant.client, successor) for _ in range(MADE_UP)]
    assert 429 in await few_at_once(repeated)
    assert await attempt(tenant.client, stolen) == 401
    assert await attempt(tenant.client, successor) in {401, 429}
    assert await sessions_left(stack, tenant.client.user["id"]) == 1  # the one of the fixture


async def successor_of(client: Client, refresh_token: str) -> str:
    """The refresh token that comes for one."""
    sent = {"refreshToken": refresh_token}
    pair = await client.call("POST", "/auth/refresh", sent, expect=200)
    return str(pair["refreshToken"])


async def sessions_left(stack: Stack, user_id: str) -> int:
    """How many sessions of a person have not been ended."""
    query = "select count(*) from sessions where user_id = %s and revoked_at is null"
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        row = await (await connection.execute(query, (user_id,))).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_limiter_that_hangs_locks_no_session(new_tenant: Any, stack: Stack) -> None:
    tenant = await new_tenant()
    token = await sign_in(tenant)
    with stopped(stack, "ratelimit"):
        refreshes = [asyncio.create_task(attempt(tenant.client, token)) for _ in range(3)]
        locked = 0
        while not all(each.done() for each in refreshes):
            locked = max(locked, await idle_in_transaction(stack))
            await asyncio.sleep(0.02)
        assert [await each for each in refreshes] == [200, 200, 200]
    assert locked == 0


async def idle_in_transaction(stack: Stack) -> int:
    """How many transactions are open and idle: each could hold a lock or a connection."""
    query = (
        "select count(*) from pg_stat_activity where state = 'idle in transaction' "
        "and now() - state_change > interval '0.2 s' and query like '%sessions%'"
    )
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_person_comes_back_after_an_hour_and_signs_out(
    new_tenant: Any, stack: Stack
) -> None:
    """The gateway lets a token pass to this method that it would refuse at another."""
    tenant = await new_tenant()
    forged = {"authorization": "Bearer garbage"}
    async with tenant.client.http.post("/api/v1/auth/logout", json={}, headers=forged) as answer:
        assert (answer.status, await code(answer)) == (401, "UNAUTHENTICATED")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for body in ({"refreshToken": await sign_in(tenant)}, {}):
        await tenant.client.call("POST", "/auth/logout", body, expect=204)
    assert await sessions_left(stack, tenant.client.user["id"]) == 0


async def sign_out(client: Client, refresh_token: str) -> int:
    """The status of a sign-out."""
    body = {"refreshToken": refresh_token}
    async with client.http.post("/api/v1/auth/logout", json=body) as answer:
        return answer.status


async def test_nobody_who_uses_up_budgets_keeps_an_owner_from_signing_out(
    new_tenant: Any, stack: Stack
) -> None:
    """A thief that of the session, by a copied token; a neighbour that of the address."""
    tenant = await new_tenant()
    token = await sign_in(tenant)
    repeated = [attempt(tenant.client, token) for _ in range(MADE_UP)]
    assert set(await few_at_once(repeated)) == {200, 429}
    guesses = [sign_out(tenant.client, f"made up {number}") for number in range(MADE_UP)]
    assert set(await few_at_once(guesses)) == {401, 429}
    # The second time the session is over: whoever did not get the answer asks again.
    for _ in range(2):
        assert await sign_out(tenant.client, token) == 204
        await tenant.client.call("POST", "/auth/logout", {}, expect=204)
    assert await sessions_left(stack, tenant.client.user["id"]) == 0


async def code(answer: aiohttp.ClientResponse) -> str:
    return str((await answer.json())["error"]["code"])


@pytest.mark.parametrize("header", ["Bearer garbage", "Bearer ", "Basic YTpi"])
async def test_what_stands_in_the_header_stops_neither_a_refresh_nor_a_sign_out(
    header: str, new_tenant: Any, stack: Stack
) -> None:
    """Clients put the access token there that they have, also when it is good for nothing."""
    tenant = await new_tenant()
    token, client = await sign_in(tenant), tenant.client
    client.http.headers["authorization"] = header
    assert await attempt(client, token) == 200
    assert await sign_out(client, token) == 204
    assert await sessions_left(stack, client.user["id"]) == 1  # the one of the fixture
