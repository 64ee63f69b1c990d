"""Keys from another system through the front door: their users notice nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import aiohttp
import bcrypt
import pytest
from redis.asyncio import Redis

from portico_kit.edge_state.imported_keys import IMPORTED_PREFIXES
from tests.platform.conftest import Tenant, execute
from tests.platform.test_api_keys import FORGET_SECONDS, becomes, comparable, status, use
from tests.stack import Stack

HMAC_KEY = b"the other system's own key"
IMPORT = "/api-keys/import"


@dataclass(frozen=True)
class Move:
    """An administrator of the platform, and the organization whose keys come over."""

    administrator: Tenant
    tenant: Tenant

    async def bring(self, *keys: dict[str, Any], expect: int = 201) -> Any:
        """Imports keys; gives the answer's data or error."""
        body = {
            "organizationId": self.tenant.organization_id,
            "hmacKey": _text(HMAC_KEY),
            "keys": keys,
        }
        return await self.administrator.client.call("POST", IMPORT, body, expect=expect)


@pytest.fixture
async def move(stack: Stack, new_tenant: Any, tenant: Tenant) -> Move:
    """The administrator is nobody in the tenant's organization, whose owner allows the import."""
    await tenant.client.call(
        "PATCH", f"/organizations/{tenant.organization_id}", {"allowKeyImport": True}, expect=200
    )
    administrator: Tenant = await new_tenant()
    user_id = administrator.client.user["id"]
    await execute(stack, "update users set role = 'administrator' where id = %s", user_id)
    return Move(administrator, tenant)


def foreign_secret() -> str:
    """A secret that another system made; its start has not been seen here before."""
    return f"{uuid4().hex[:4]}_live_{uuid4().hex}"


def described(secret: str, **known: str) -> dict[str, Any]:
    """A key that may read keys, by the hash that the other system kept."""
    return {"name": "old", "prefix": secret[:16], "scopes": ["keys:read"], **known}


def by_hmac(secret: str) -> dict[str, Any]:
    digest = hmac.digest(HMAC_KEY, secret.encode(), "sha256")
    return described(secret, hmacSha256=_text(digest))


def by_sha256(secret: str) -> dict[str, Any]:
    return described(secret, sha256=_text(hashlib.sha256(secret.encode()).digest()))


def by_bcrypt(secret: str, cost: int = 4) -> dict[str, Any]:
    return described(secret, bcrypt=bcrypt.hashpw(secret.encode(), bcrypt.gensalt(cost)).decode())


def _text(plain: bytes) -> str:
    return base64.b64encode(plain).decode()


async def test_each_kind_of_imported_key_goes_on_working(stack: Stack, move: Move) -> None:
    secrets = [foreign_secret() for _ in range(3)]
    kinds = (by_hmac, by_sha256, by_bcrypt)
    keys = [describe(secret) for describe, secret in zip(kinds, secrets, strict=True)]
    async with stack.rest() as client:
        # Refused and remembered as such, until the import says otherwise.
        assert [await status(move.tenant, client, each) for each in secrets] == [401] * 3
        brought = await move.bring(*keys)
        for secret in secrets:
            ask = partial(status, move.tenant, client, secret)
            assert await becomes(200, ask) < FORGET_SECONDS
        listed = await use(move.tenant, client, secrets[0])
    for key in brought["apiKeys"]:
        assert key["id"].encode() in listed.body


async def test_another_secret_with_the_prefix_is_a_strangers(stack: Stack, move: Move) -> None:
    secret = foreign_secret()
    await move.bring(by_bcrypt(secret))
    async with stack.rest() as client:
        wrong = [await use(move.tenant, client, each) for each in (secret[:-1] + "!", "nonsense")]
        assert wrong[0].status == 401
        assert comparable(wrong[0]) == comparable(wrong[1])
        assert await becomes(200, lambda: status(move.tenant, client, secret)) < FORGET_SECONDS


async def test_a_revoked_one_is_refused_within_a_second(stack: Stack, move: Move) -> None:
    secret = foreign_secret()
    [key] = (await move.bring(by_sha256(secret)))["apiKeys"]
    async with stack.rest() as client:
        await becomes(200, lambda: status(move.tenant, client, secret))
        await move.tenant.client.call("POST", f"/api-keys/{key['id']}/revoke", {}, expect=200)
        seconds = await becomes(401, lambda: status(move.tenant, client, secret))
    assert seconds < FORGET_SECONDS + 0.5  # the refusal itself takes half a second


async def test_only_administrators_of_the_platform_import(
    tenant: Tenant, stranger: Tenant, move: Move
) -> None:
    key = by_sha256(foreign_secret())
    body = {"organizationId": tenant.organization_id, "keys": [key]}
    for owner in (tenant, stranger):
        error = await owner.client.call("POST", IMPORT, body, expect=403)
        assert error["code"] == "PERMISSION_DENIED"
    await move.bring(key)


async def test_a_taken_prefix_is_named_and_nothing_is_imported(move: Move) -> None:
    there, new = foreign_secret(), foreign_secret()
    await move.bring(by_sha256(there))
    error = await move.bring(by_sha256(new), by_bcrypt(there), expect=409)
    assert error["code"] == "PREFIX_TAKEN"
    assert [detail["field"] for detail in error["details"]] == ["keys[1].prefix"]
    await move.bring(by_sha256(new))


async def test_while_a_bcrypt_hash_is_checked_other_requests_go_on(
    stack: Stack, move: Move
) -> None:
    secret, ours = foreign_secret(), move.tenant.client
    await move.bring(by_bcrypt(secret, cost=12))
    await asyncio.sleep(FORGET_SECONDS)  # then every edge process knows how it starts
    async with stack.rest() as client:

        async def timed() -> tuple[int, float]:
            began = time.monotonic()
            return await status(move.tenant, client, secret), time.monotonic() - began

        first = asyncio.create_task(timed())
        await asyncio.sleep(0.05)
        others = []
        while not first.done():
            began = time.monotonic()
            await ours.call("GET", "/users/me", expect=200)
            others.append(time.monotonic() - began)
            await asyncio.sleep(0.02)
        found, seconds = await first
        assert found == 200
        assert len(others) >= 3
        assert max(others) < seconds / 2
        assert (await timed())[1] < seconds / 2


async def test_what_valkey_has_lost_is_told_again(stack: Stack, move: Move) -> None:
    secret = foreign_secret()
    await move.bring(by_sha256(secret))
    async with Redis.from_url(f"unix://{stack.settings.runtime_dir}/valkey.sock") as valkey:
        await valkey.delete(IMPORTED_PREFIXES)
        await asyncio.sleep(1.5)
        assert await valkey.sismember(IMPORTED_PREFIXES, secret[:6])
    await stack.restart("authorize")
    async with aiohttp.ClientSession(stack.base_url) as client:
        await becomes(200, lambda: status(move.tenant, client, secret))
