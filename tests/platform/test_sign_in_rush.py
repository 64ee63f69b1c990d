"""Sixty strangers who guess at once: a person who signs in waits for seconds, and a reader not."""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import aiohttp
import bcrypt
import psycopg

from server.features.users.password_hashes import Bcrypt, bare_pre_hash
from tests.platform.conftest import PASSWORD, Tenant
from tests.stack import Stack

STRANGERS = 60
# Verified is what is stored, whatever is set. Two steps below the default: hashes have the
# lowest priority, and other tests fill the processors. `make bench` has the default's figures.
ROUNDS = Bcrypt().rounds - 2

PEOPLE = """
with person as (
  insert into users (id, email, password_hash, email_verified_at, status, role,
                     created_at, updated_at, version)
  select gen_random_uuid(), address, %s, now(), 'active', 'user', now(), now(), 1
  from unnest(%s::text[]) as address
  returning id
)
insert into user_profiles (user_id, display_name, avatar_url, bio, preferences)
select id, 'Ada', '', '', '{}' from person
"""


async def people(stack: Stack, number: int) -> list[str]:
    """The addresses of so many verified people, as 0.1 stored them."""
    stored = bcrypt.hashpw(bare_pre_hash(PASSWORD), bcrypt.gensalt(ROUNDS)).decode()
    addresses = [f"rush.{uuid4().hex[:12]}@example.com" for _ in range(number)]
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        await connection.execute(PEOPLE.encode(), (stored, addresses))
    return addresses


async def sign_in(http: aiohttp.ClientSession, email: str, password: str) -> tuple[int, int]:
    """The status, and the seconds after which to come back."""
    login = {"email": email, "password": password}
    async with http.post("/api/v1/auth/login", json=login) as answer:
        return answer.status, int(answer.headers.get("retry-after", 0))


async def sign_in_patiently(http: aiohttp.ClientSession, email: str) -> int:
    """The status, for a person who comes back when there is room: a slow machine has less."""
    while True:
        status, seconds = await sign_in(http, email, PASSWORD)
        if status != 503:
            return status
        await asyncio.sleep(seconds)


async def test_sixty_wrong_sign_ins_at_once_keep_a_good_one_for_three_seconds_at_the_most(
    stack: Stack, tenant: Tenant
) -> None:
    *victims, person = await people(stack, STRANGERS + 1)
    async with AsyncExitStack() as opened:
        clients = [await opened.enter_async_context(stack.rest()) for _ in range(STRANGERS + 1)]

        attempts = [
            sign_in(http, email, "wrong") for http, email in zip(clients, victims, strict=False)
        ]
        rush = asyncio.gather(*attempts)
        reading = asyncio.ensure_future(_read_until(rush, tenant))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        assert await sign_in_patiently(clients[-1], person) == 200
        took = time.monotonic() - began
        assert {status for status, _ in await rush} <= {401, 503}
        seconds = await reading
    assert took < 3
    assert len(seconds) > 5
    assert statistics.median(seconds) < 0.1
    assert max(seconds) < 1


async def _read_until(rush: asyncio.Future[list[Any]], tenant: Tenant) -> list[float]:
    """How long reads take meanwhile."""
    found = []
    while not rush.done():
        began = time.monotonic()
        await tenant.client.call("GET", "/users/me", expect=200)
        found.append(time.monotonic() - began)
        await asyncio.sleep(0.05)
    return found
