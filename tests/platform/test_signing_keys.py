"""The keys that sign tokens change while people go on working."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from portico.users.v1.user_service_pb2 import GetMeRequest
from portico.users.v1.user_service_pb2_grpc import UserServiceStub

from cli.run.state import load_secrets
from portico_kit.clock import utc_now
from portico_kit.secrets import Secrets
from portico_kit.storage.base import create_engine
from portico_kit.testing.waiting import eventually
from server.features.auth.signing_keys import MAX_AGE, SigningKeys
from tests.platform.conftest import PASSWORD, Client, Tenant, execute
from tests.stack import Stack

PATIENCE_SECONDS = 15.0
PAUSE_SECONDS = 0.1
# Instead of the ten minutes that a key is published before it signs.
SIGNS_AFTER = "4 seconds"


@pytest.fixture
async def old_kid(stack: Stack, tenant: Tenant) -> AsyncIterator[str]:
    """The key that signs now; it signs again after the test, for the others' tokens are of it."""
    kid = kid_of(tenant.client.token)
    yield kid
    await execute(stack, "delete from signing_keys where kid <> %s", kid)
    await execute(stack, "update signing_keys set retired_at = null where kid = %s", kid)

    async def signs_again() -> bool:
        return kid_of(await sign_in(stack, tenant.email)) == kid

    await until(signs_again, stack)
    await until(lambda: answers(tenant.client, 200), stack)
    # That one the gateway may remember; tokens that it does not remember are good again, too.
    fresh = Client(tenant.client.http, await sign_in(stack, tenant.email))
    await until(lambda: answers(fresh, 200), stack)


async def test_nobody_is_refused_while_the_signing_key_changes(
    stack: Stack, tenant: Tenant, old_kid: str
) -> None:
    async with steady_requests(tenant.client) as statuses:
        await rotate(stack)
        newer = await signed_in_with_another_key(stack, tenant, old_kid)
        assert await answers(newer, 200), "the first token of the new key was refused"
    assert len(statuses) > 10
    assert set(statuses) == {200}


async def test_a_key_that_is_taken_back_is_refused_though_its_token_was_accepted_before(
    stack: Stack, tenant: Tenant, old_kid: str
) -> None:
    away = Client(tenant.client.http, await sign_in(stack, tenant.email))
    await rotate(stack)
    newer = await signed_in_with_another_key(stack, tenant, old_kid)
    assert await answers(tenant.client, 200)
    await execute(stack, "update signing_keys set retired_at = now() where kid = %s", old_kid)
    await until(lambda: answers(tenant.client, 401), stack)
    assert await answers(newer, 200)
    # What was signed with it is good for one thing: whoever was away meanwhile signs out.
    await away.call("POST", "/auth/logout", {}, expect=204)


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def answers(client: Client, status: int) -> bool:
    headers = {"authorization": f"Bearer {client.token}"}
    async with client.http.get("/api/v1/users/me", headers=headers) as answer:
        return answer.status == status


async def signed_in_with_another_key(stack: Stack, tenant: Tenant, old_kid: str) -> Client:
    """The tenant, with the first token of the next key."""
    newer = Client(tenant.client.http, await sign_in(stack, tenant.email))
    while kid_of(newer.token) == old_kid:
        await learn(stack)
        await asyncio.sleep(5 * PAUSE_SECONDS)
        newer.token = await sign_in(stack, tenant.email)
    return newer


async def sign_in(stack: Stack, email: str) -> str:
    """The token for a sign-in from an address that has not signed in before."""
    body = {"email": email, "password": PASSWORD}
    async with stack.rest() as http:
        answer = await Client(http).call("POST", "/auth/login", body, expect=200)
    return str(answer["accessToken"])


async def rotate(stack: Stack) -> None:
    """A month passes, the housekeeping makes the next key, and ten minutes pass."""
    engine = create_engine(stack.database_url)
    secret_key = load_secrets(stack.settings.state_dir)["PORTICO_SECRET_KEY"]
    keys = SigningKeys(engine, Secrets.from_base64(secret_key), utc_now)
    assert await keys.rotate(utc_now() + MAX_AGE)
    await engine.dispose()
    await execute(
        stack,
        "update signing_keys set signs_from = now() + %s::interval where retired_at is null",
        SIGNS_AFTER,
    )


async def learn(stack: Stack) -> None:
    """Has the core read its keys now, and not within half a minute: by a name it does not know."""
    token = jwt.encode({}, ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": "unknown"})
    async with stack.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="UNAUTHENTICATED"):
            await UserServiceStub(channel).GetMe(
                GetMeRequest(), metadata=(("authorization", f"Bearer {token}"),)
            )


async def until(holds: Callable[[], Awaitable[bool]], stack: Stack) -> None:
    async def holds_now() -> bool:
        if await holds():
            return True
        await learn(stack)
        return False

    await eventually(holds_now, within=PATIENCE_SECONDS, every=PAUSE_SECONDS)


@asynccontextmanager
async def steady_requests(client: Client) -> AsyncIterator[list[int]]:
    """Somebody who asks all the while; the statuses of the answers."""
    statuses: list[int] = []
    headers = {"authorization": f"Bearer {client.token}"}

    async def ask() -> None:
        while True:
            async with client.http.get("/api/v1/users/me", headers=headers) as answer:
                statuses.append(answer.status)
            await asyncio.sleep(PAUSE_SECONDS)

    asking = asyncio.create_task(ask())
    try:
        yield statuses
    finally:
        asking.cancel()
