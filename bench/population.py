"""People to make requests as: signed up through the front door, in the largest tier."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import uuid4

import aiohttp
import psycopg

from tests.stack import Stack

PASSWORD = "correct horse battery"  # noqa: S105 - of people who live for one run
AT_ONCE = 8


@dataclass(frozen=True)
class Inhabitant:
    """Somebody with a token, an organization and an API key."""

    token: str
    organization_id: str
    api_key: str


async def populate(stack: Stack, count: int) -> list[Inhabitant]:
    """Signs up so many people, each with an organization and a key of its own.

    One person alone would soon be limited, as is right; many share the load.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> Inhabitant:
        async with gate, stack.rest() as http:
            return await _sign_up(stack, http)

    return await asyncio.gather(*(one() for _ in range(count)))


async def _sign_up(stack: Stack, http: aiohttp.ClientSession) -> Inhabitant:
    email = f"{uuid4().hex}@example.com"
    person = {"email": email, "password": PASSWORD, "displayName": "Ada", "acceptedTerms": True}
    user = await _post(http, "/auth/register", person)
    await _execute(stack, "update users set email_verified_at = now() where id = %s", user["id"])
    login = {"email": email, "password": PASSWORD}
    token = (await _post(http, "/auth/login", login))["accessToken"]
    founded = await _post(http, "/organizations", {"name": "Bench"}, token)
    organization_id = founded["id"]
    await _execute(
        stack, "update organizations set tier = 'enterprise' where id = %s", organization_id
    )
    switch = {"organizationId": organization_id}
    token = (await _post(http, "/auth/switch-organization", switch, token))["accessToken"]
    key = {"name": "bench", "scopes": ["organization:read"]}
    path = f"/organizations/{organization_id}/api-keys"
    secret = (await _post(http, path, key, token))["secret"]
    return Inhabitant(token, organization_id, secret)


async def _post(
    http: aiohttp.ClientSession, path: str, body: dict[str, object], token: str | None = None
) -> dict[str, str]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with http.post(f"/api/v1{path}", json=body, headers=headers) as answer:
        answer.raise_for_status()
        data: dict[str, str] = (await answer.json())["data"]
        return data


async def _execute(stack: Stack, statement: str, value: str) -> None:
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        await connection.execute(statement.encode(), (value,))
