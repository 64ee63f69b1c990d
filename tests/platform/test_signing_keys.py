"""The keys that sign tokens change while people go on working."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import jwt
import psycopg
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
from tests.platform.oauth_app import new_app
from tests.stack import Stack

PATIENCE_SECONDS = 15.0
PAUSE_SECONDS = 0.1
# Instead of the ten minutes that a key is published before it signs.
SIGNS_AFTER = "4 seconds"


@pytest.fixture
async def old_kid(stack: Stack, tenant: Tenant) -> AsyncIterator[str]:
    """The key that signs now; it signs again after the test, for the others' tokens are of it."""
    kid = kid_of(tenant.client.token)
    before = await now(stack)
    yield kid
    await execute(stack, "delete from signing_keys where kid <> %s", kid)
    await execute(stack, "update signing_keys set retired_at = null where kid = %s", kid)
    # The ring of the ID tokens has turned, too.
    await execute(stack, "delete from id_token_keys where created_at > %s", before)
    await execute(
        stack, "update id_token_keys set retired_at = null where created_at <= %s", before
    )

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
    # Ten minutes are a moment here: the gateway may not have asked for the new key yet.
    await until(lambda: answers(newer, 200), stack)
    # What was signed with it is good for one thing: whoever was away meanwhile signs out.
    await away.call("POST", "/auth/logout", {}, expect=204)


async def test_id_tokens_are_good_while_their_key_changes_and_after(
    stack: Stack, tenant: Tenant, old_kid: str
) -> None:
    """Their keys are a ring of their own, in the same set."""
    app = await new_app(stack, tenant)
    given = [(await app.tokens())["id_token"]]
    await rotate(stack)

    async def another_key_signs() -> bool:
        await learn(stack)
        given.append((await app.tokens())["id_token"])
        return kid_of(given[0]) != kid_of(given[-1])

    await eventually(another_key_signs, within=2 * PATIENCE_SECONDS, every=5 * PAUSE_SECONDS)
    async with app.http.get("/.well-known/jwks.json") as answer:
        published = jwt.PyJWKSet.from_dict(await answer.json())
    for token in (given[0], given[-1]):
        key = published[kid_of(token)]
        said = jwt.decode(token, key, algorithms=["RS256"], audience=app.client.client_id)
        assert said["iss"] == stack.base_url
        # Either tells who is expected.
        status, location, _ = await app.authorize(id_token_hint=token)
        assert (status, location.partition("?")[0]) == (303, "/oauth/consent")
    # A key that signs ID tokens opens nothing.
    assert (await app.user_info(given[-1]))[0] == 401
    await app.http.close()


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
    # Of these the newest: the one before signs until then.
    await execute(
        stack,
        "update id_token_keys set signs_from = now() + %s::interval"
        " where created_at = (select max(created_at) from id_token_keys)",
        SIGNS_AFTER,
    )


async def now(stack: Stack) -> str:
    """What time it is for the database."""
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        cursor = await connection.execute("select now()::text")
        [row] = await cursor.fetchall()
    return str(row[0])


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
