"""The whole platform and two tenants of it, as their clients see it: through the front door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import psycopg
import pytest

from tests.stack import Stack

PASSWORD = "correct horse battery"


@dataclass
class Client:
    """Somebody's HTTP client, from an address of its own, signed in or not."""

    http: aiohttp.ClientSession
    token: str = ""
    user: dict[str, Any] = field(default_factory=dict)

    async def call(
        self, verb: str, path: str, json: Any = None, *, expect: int, **headers: str
    ) -> Any:
        """One request below /api/v1; gives what stands in the envelope's `data` or `error`.

        Args:
            headers: with `_` for `-`.
        """
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("authorization", f"Bearer {self.token}")
        async with self.http.request(verb, f"/api/v1{path}", json=json, headers=sent) as answer:
            body = await answer.json() if answer.status != 204 else {}
            assert answer.status == expect, (verb, path, body)
        return body.get("data", body.get("error")) if body else None


@dataclass
class Tenant:
    """An organization with an owner who is signed in, of the tier that is not soon limited."""

    client: Client
    organization_id: str
    email: str


@pytest.fixture(scope="session")
async def new_tenant(stack: Stack) -> AsyncIterator[Any]:
    """Makes tenants."""
    open_sessions: list[aiohttp.ClientSession] = []

    async def make() -> Tenant:
        http = stack.rest()
        open_sessions.append(http)
        return await sign_up(stack, Client(http))

    yield make
    for session in open_sessions:
        await session.close()


@pytest.fixture(scope="session")
async def tenant(new_tenant: Any) -> Tenant:
    """One tenant."""
    made: Tenant = await new_tenant()
    return made


@pytest.fixture(scope="session")
async def stranger(new_tenant: Any) -> Tenant:
    """Another one."""
    made: Tenant = await new_tenant()
    return made


async def sign_up(stack: Stack, client: Client) -> Tenant:
    """Registers, verifies, signs in and founds an organization."""
    email = f"ada.{uuid4().hex[:12]}@example.com"
    person = {"email": email, "password": PASSWORD, "displayName": "Ada", "acceptedTerms": True}
    client.user = await client.call("POST", "/auth/register", person, expect=201)
    await verify(stack, client.user["id"])
    login = {"email": email, "password": PASSWORD}
    signed_in = await client.call("POST", "/auth/login", login, expect=200)
    client.token = signed_in["accessToken"]
    founded = await client.call("POST", "/organizations", {"name": "Tenant"}, expect=201)
    await upgrade(stack, founded["id"])
    switch = {"organizationId": founded["id"]}
    switched = await client.call("POST", "/auth/switch-organization", switch, expect=200)
    client.token = switched["accessToken"]
    return Tenant(client, founded["id"], email)


async def verify(stack: Stack, user_id: str) -> None:
    """Verifies an address without its mail, which tests of their own are about."""
    await execute(stack, "update users set email_verified_at = now() where id = %s", user_id)


async def upgrade(stack: Stack, organization_id: str) -> None:
    """Gives an organization the largest tier."""
    await execute(
        stack, "update organizations set tier = 'enterprise' where id = %s", organization_id
    )


async def execute(stack: Stack, statement: str, *values: str) -> None:
    """Changes what no method of the contract changes."""
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        await connection.execute(statement.encode(), values)
