"""People to make requests as: signed up through the front door, with limits that no load meets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import psycopg

from tests.stack import Stack

PASSWORD = "correct horse battery"  # noqa: S105 - of people who live for one run
AT_ONCE = 4
# The largest that there is. The work of a decision is the same, its outcome is always yes.
MULTIPLIER_PERCENT = 100_000


@dataclass(frozen=True)
class Inhabitant:
    """Somebody with a token, an organization and an API key."""

    email: str
    token: str
    organization_id: str
    api_key: str


async def populate(stack: Stack, count: int) -> list[Inhabitant]:
    """Signs up so many people, each with an organization and a key of its own."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> Inhabitant:
        async with gate, stack.rest() as http:
            return await _sign_up(stack, http)

    async with stack.rest() as http:
        administrator = await _administrator(stack, http)
        people = await asyncio.gather(*(one() for _ in range(count)))
        for each in people:
            path = f"/organizations/{each.organization_id}/limits"
            body = {"multiplierPercent": MULTIPLIER_PERCENT}
            await _send("PUT", http, path, body, administrator)
    # Every edge process has heard of it within a second.
    await asyncio.sleep(1.5)
    return people


async def login(http: aiohttp.ClientSession, email: str) -> str:
    """Signs somebody in and gives the access token."""
    body = {"email": email, "password": PASSWORD}
    token: str = (await _send("POST", http, "/auth/login", body))["accessToken"]
    return token


async def _sign_up(stack: Stack, http: aiohttp.ClientSession) -> Inhabitant:
    email = await _register(stack, http)
    token = await login(http, email)
    founded = await _send("POST", http, "/organizations", {"name": "Bench"}, token)
    organization_id = founded["id"]
    await _execute(
        stack, "update organizations set tier = 'enterprise' where id = %s", organization_id
    )
    switch = {"organizationId": organization_id}
    token = (await _send("POST", http, "/auth/switch-organization", switch, token))["accessToken"]
    key = {"name": "bench", "scopes": ["organization:read"]}
    path = f"/organizations/{organization_id}/api-keys"
    secret = (await _send("POST", http, path, key, token))["secret"]
    return Inhabitant(email, token, organization_id, secret)


async def _administrator(stack: Stack, http: aiohttp.ClientSession) -> str:
    """The token of an administrator whose own limits are those of a paying customer."""
    email = await _register(stack, http)
    await _execute(stack, "update users set role = 'administrator' where email = %s", email)
    token = await login(http, email)
    founded = await _send("POST", http, "/organizations", {"name": "Platform"}, token)
    await _execute(
        stack, "update organizations set tier = 'enterprise' where id = %s", founded["id"]
    )
    switch = {"organizationId": founded["id"]}
    switched = await _send("POST", http, "/auth/switch-organization", switch, token)
    chosen: str = switched["accessToken"]
    return chosen


async def _register(stack: Stack, http: aiohttp.ClientSession) -> str:
    email = f"{uuid4().hex}@example.com"
    person = {"email": email, "password": PASSWORD, "displayName": "Ada", "acceptedTerms": True}
    await _send("POST", http, "/auth/register", person)
    await _execute(stack, "update users set email_verified_at = now() where email = %s", email)
    return email


async def _send(
    verb: str,
    http: aiohttp.ClientSession,
    path: str,
    body: Mapping[str, object],
    token: str | None = None,
) -> Any:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with http.request(verb, f"/api/v1{path}", json=body, headers=headers) as answer:
        if answer.status >= 400:
            raise RuntimeError(f"{verb} {path}: {answer.status} {await answer.text()}")
        return (await answer.json())["data"]


async def _execute(stack: Stack, statement: str, value: str) -> None:
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        await connection.execute(statement.encode(), (value,))
