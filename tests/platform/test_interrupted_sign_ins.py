"""Processes are killed in the middle of signing in: nothing is half done, nothing is good twice.

Whoever was interrupted goes on with what they have, or begins again after a clear answer.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from edge.web.cookies import FEDERATED
from portico_kit.testing.waiting import eventually
from server.features.factors.totp import STEP_SECONDS, Totp
from tests.core.connections.front_end import Somebody
from tests.core.connections.provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider
from tests.platform.conftest import PASSWORD, Client, Tenant, execute
from tests.platform.test_outages import _recovers
from tests.stack import Stack
from tests.support.addresses import new_address
from tests.support.authenticator import Authenticator

SOON = 20.0
BEGIN, COMPLETE = "/auth/federated/begin", "/auth/federated/complete"
CHALLENGE = "/auth/challenges/complete"
PASSKEYS = "/users/me/factors/passkeys"


@dataclass(frozen=True)
class Answered:
    """An answer of the API."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def reason(self) -> str:
        return str(self.body.get("error", {}).get("code", ""))


@pytest.fixture
async def someone(new_tenant: Any) -> Tenant:
    """Somebody who is signed in."""
    made: Tenant = await new_tenant()
    return made


@pytest.fixture
async def grace() -> Somebody:
    """Who has an account at the provider, and none here."""
    return Somebody()


@pytest.fixture
async def provider(grace: Somebody) -> AsyncIterator[Provider]:
    """Where she signs in."""
    async with running_provider(person=grace.claims()) as provider:
        yield provider


@pytest.fixture
async def connection_id(stack: Stack, someone: Tenant, provider: Provider) -> AsyncIterator[str]:
    """A connection of the platform with it."""
    await execute(
        stack, "update users set role = 'administrator' where id = %s", someone.client.user["id"]
    )
    body = {
        "name": "Example",
        "preset": "oidc",
        "issuer": provider.issuer,
        "clientId": CLIENT_ID,
        "clientSecret": CLIENT_SECRET,
        "trustedDomains": ["example.com"],
    }
    made = await someone.client.call("POST", "/platform-connections", body, expect=201)
    yield made["id"]
    path = f"/platform-connections/{made['id']}"
    await someone.client.call("DELETE", path, expect=204)


async def post(client: Client, path: str, body: Any) -> Answered:
    """One request, whatever becomes of it, from an address of its own."""
    headers = {"x-forwarded-for": new_address()}
    if client.token:
        headers["authorization"] = f"Bearer {client.token}"
    async with client.http.post(f"/api/v1{path}", json=body, headers=headers) as answer:
        return Answered(answer.status, dict(answer.headers), await answer.json())


async def begun(stranger: Client, provider: Provider, connection_id: str) -> dict[str, str]:
    """A sign-in that the provider has agreed to: what is sent to complete it."""
    made = await stranger.call("POST", BEGIN, {"connectionId": connection_id}, expect=200)
    brought = provider.authorize(made["authorizationUrl"])
    return {**brought, "browserToken": made["browserToken"]}


async def interrupt(stack: Stack, someone: Tenant, *parts: str) -> None:
    """Kills parts and brings them back."""
    await stack.kill(*parts)
    await stack.start(*parts)
    await _recovers(someone)


def rows(stack: Stack, statement: str, value: str) -> int:
    with psycopg.connect(stack.database_url) as database:
        found = database.execute(statement.encode(), [value]).fetchone()
    assert found is not None
    return int(found[0])


USERS = "select count(*) from users where email = %s"
IDENTITIES = (
    "select count(*) from identities join users on users.id = user_id where users.email = %s"
)
SESSIONS = "select count(*) from sessions join users on users.id = user_id where users.email = %s"


async def test_a_sign_in_at_a_provider_goes_on_after_every_process_was_killed(
    stack: Stack, someone: Tenant, provider: Provider, connection_id: str, grace: Somebody
) -> None:
    stranger = Client(someone.client.http)
    sent = await begun(stranger, provider, connection_id)
    await interrupt(stack, someone, "core", "web", "valkey")
    assert (await post(stranger, COMPLETE, sent)).body["data"]["accessToken"]
    # What Valkey had forgotten makes nothing good a second time.
    again = await post(stranger, COMPLETE, sent)
    assert (again.status, again.reason) == (422, "FEDERATED_STATE_INVALID")
    assert [rows(stack, each, grace.email) for each in (USERS, IDENTITIES, SESSIONS)] == [1, 1, 1]


@pytest.mark.parametrize("part", ["core", "web", "postgres"])
async def test_a_kill_during_the_exchange_of_the_code_leaves_nothing_half_done(
    stack: Stack,
    someone: Tenant,
    provider: Provider,
    connection_id: str,
    grace: Somebody,
    part: str,
) -> None:
    stranger = Client(someone.client.http)
    sent = await begun(stranger, provider, connection_id)
    cookie = {"cookie": f"{FEDERATED}={sent.pop('browserToken')}"}
    page = f"/sign-in/callback?{urlencode(sent)}"

    async def opened() -> tuple[int, str]:
        async with stranger.http.get(page, headers=cookie, allow_redirects=False) as answer:
            assert answer.status != 503 or int(answer.headers["Retry-After"]) >= 1
            return answer.status, await answer.text()

    async def is_asked() -> bool:
        return "/token" in provider.asked

    provider.delay = 0.6
    task = asyncio.create_task(opened())
    await eventually(is_asked, within=SOON, every=0.02)
    await stack.kill(part)
    try:
        status, text = await task
        assert status == 503, (status, text)
    finally:
        provider.delay = 0
        await stack.start(part)
    await _recovers(someone)
    status, text = await opened()
    assert status in (401, 422, 503), text
    assert "That did not work" in text
    assert 'href="/sign-in' in text
    made = [rows(stack, each, grace.email) for each in (USERS, IDENTITIES)]
    assert made in ([0, 0], [1, 1])  # the core may have completed for pages that were gone
    anew = await begun(stranger, provider, connection_id)
    assert (await post(stranger, COMPLETE, anew)).status == 200
    assert [rows(stack, each, grace.email) for each in (USERS, IDENTITIES)] == [1, 1]


@dataclass
class App:
    """An authenticator app."""

    totp: Totp

    def code(self, step: int) -> str:
        return self.totp.code(int(time()) // STEP_SECONDS + step)


async def enrolled(someone: Tenant) -> App:
    """The person's app, which is their second factor from now on."""
    client = someone.client
    made = await client.call("POST", "/users/me/factors/totp/begin", {}, expect=200)
    secret = made["secret"]
    app = App(Totp(base64.b32decode(secret + "=" * (-len(secret) % 8))))
    await client.call("POST", "/users/me/factors/totp", {"code": app.code(0)}, expect=201)
    return app


async def test_a_challenge_and_a_passkey_survive_what_is_killed_and_are_good_once(
    stack: Stack, someone: Tenant
) -> None:
    client, stranger = someone.client, Client(someone.client.http)
    app = await enrolled(someone)
    login = {"email": someone.email, "password": PASSWORD}
    challenge = await stranger.call("POST", "/auth/login", login, expect=200)
    browser = Authenticator(origin=stack.base_url.replace("127.0.0.1", "localhost"))
    passkey = await client.call("POST", f"{PASSKEYS}/begin", {}, expect=200)
    credential = {"credential": browser.create(passkey["options"])}
    alone = await stranger.call("POST", "/auth/passkey/begin", {}, expect=200)
    await interrupt(stack, someone, "core", "valkey", "postgres")

    sent = {
        "challenge": challenge["challenge"],
        "deviceToken": challenge["deviceToken"],
        "method": "totp",
    }
    wrong = await post(stranger, CHALLENGE, {**sent, "code": "000000"})
    assert wrong.reason in ("CODE_INVALID", "VALIDATION_ERROR")
    right = {**sent, "code": app.code(1)}
    assert (await post(stranger, CHALLENGE, right)).status == 200
    await interrupt(stack, someone, "valkey")
    assert (await post(stranger, CHALLENGE, right)).status in (400, 401, 409, 412)

    assert (await post(client, PASSKEYS, credential)).status == 201
    assert (await post(client, PASSKEYS, credential)).status in (400, 409, 412)
    factors = await client.call("GET", "/users/me/factors", expect=200)
    assert sorted(each["type"] for each in factors["factors"]) == ["passkey", "totp"]

    answer = {"challenge": alone["challenge"], "credential": browser.get(alone["options"])}
    assert (await post(stranger, "/auth/passkey", answer)).status == 200
    await interrupt(stack, someone, "valkey")
    assert (await post(stranger, "/auth/passkey", answer)).status in (400, 409, 412)


async def _refused_for_now(answers: Sequence[Answered]) -> None:
    for answer in answers:
        assert answer.status == 503, (answer.status, answer.body)
        assert int(answer.headers["Retry-After"]) >= 1


async def test_without_the_limiter_nobody_guesses_and_no_door_is_open(
    stack: Stack, someone: Tenant, provider: Provider, connection_id: str
) -> None:
    stranger = Client(someone.client.http)
    app = await enrolled(someone)
    login = {"email": someone.email, "password": PASSWORD}
    challenge = await stranger.call("POST", "/auth/login", login, expect=200)
    sent = await begun(stranger, provider, connection_id)
    code = {
        "challenge": challenge["challenge"],
        "deviceToken": challenge["deviceToken"],
        "method": "totp",
        "code": app.code(1),
    }
    await stack.kill("valkey", "ratelimit")
    try:
        tried = [(CHALLENGE, code), (COMPLETE, sent), ("/auth/passkey", {})]
        await _refused_for_now([await post(stranger, path, body) for path, body in tried])
        for path in ("/sign-in/verify", "/sign-in/passkey", "/step-up"):
            async with stranger.http.post(path, data={"code": "000000"}) as page:
                assert page.status == 503, path
    finally:
        await stack.start("valkey", "ratelimit")
    await _recovers(someone)
    # None of it was used up.
    assert (await post(stranger, CHALLENGE, code)).status == 200
    assert (await post(stranger, COMPLETE, sent)).status == 200
