"""Applications while parts of the platform are away, and while many call at once."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest

from portico_kit.testing.waiting import eventually
from tests.platform.conftest import Tenant
from tests.stack import Stack
from tests.support.addresses import new_address
from tests.web.oauth_client import FORM, OAuthClient

REDIRECT = "https://app.example.com/callback"
SCOPE = "openid email offline_access projects:read"
MACHINE = {"grant_type": "client_credentials"}
AT_ONCE = 1000
# Of a client in a minute; the thousand may see two.
ALLOWED_FAILURES = 20
RECOVERY_SECONDS = 20.0
Answer = tuple[int, Any, Mapping[str, str]]


@dataclass
class App:
    """An application and its owner, through the front door, by HTTP alone."""

    owner: Tenant
    client: OAuthClient
    http: aiohttp.ClientSession

    async def send(
        self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A form to an endpoint, from a new address: the status, the answer, and its headers."""
        sent = {"Content-Type": FORM, "X-Forwarded-For": new_address()}
        sent |= self.client.basic if headers is None else dict(headers)
        async with self.http.post(path, data=urlencode(fields).encode(), headers=sent) as answer:
            body = await answer.read()
            return answer.status, json.loads(body) if body else None, answer.headers

    async def token(self, fields: Mapping[str, str]) -> Answer:
        return await self.send("/oauth/token", fields)

    async def user_info(self, access_token: str) -> Answer:
        bearer = {"Authorization": f"Bearer {access_token}", "X-Forwarded-For": new_address()}
        async with self.http.get("/oauth/userinfo", headers=bearer) as answer:
            return answer.status, await answer.json(), answer.headers

    async def authorize(self, **changed: str) -> tuple[int, str, str]:
        """Opens /oauth/authorize: the status, where it leads, and the page."""
        path = self.client.request(**{"scope": SCOPE, **changed})
        headers = {"X-Forwarded-For": new_address(), "Accept": "text/html"}
        async with self.http.get(path, headers=headers, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", ""), await answer.text()

    async def request_id(self, **changed: str) -> str:
        _, location, _ = await self.authorize(**changed)
        return parse_qs(urlsplit(location).query)["request_id"][0]

    async def approve(self, request_id: str) -> str:
        """The code for what the owner gives."""
        body = {"requestId": request_id, "organizationId": self.owner.organization_id}
        approved = await self.owner.client.call(
            "POST", "/oauth/authorizations/approve", body, expect=200
        )
        response = approved.get("response", approved)
        return {each["name"]: each["value"] for each in response["parameters"]}["code"]

    async def code(self) -> str:
        return await self.approve(await self.request_id())

    async def tokens(self) -> Any:
        """What comes of a whole flow."""
        status, tokens, _ = await self.token(self.client.exchange(await self.code()))
        assert status == 200, tokens
        return tokens


@pytest.fixture(scope="module")
async def app(stack: Stack, new_tenant: Any) -> AsyncIterator[App]:
    """An application of a tenant of its own."""
    owner: Tenant = await new_tenant()
    found = await new_app(stack, owner)
    yield found
    await found.http.close()


async def new_app(stack: Stack, owner: Tenant) -> App:
    body = {
        "name": "Analytical Engine",
        "kind": "web",
        "redirectUris": [REDIRECT],
        "grantTypes": ["authorization_code", "refresh_token", "client_credentials"],
        "scopes": SCOPE.split(),
    }
    path = f"/organizations/{owner.organization_id}/applications"
    made = await owner.client.call("POST", path, body, expect=201)
    client = OAuthClient(made["application"]["id"], made["clientSecret"], redirect_uri=REDIRECT)
    connector = aiohttp.TCPConnector(limit=100)
    return App(owner, client, aiohttp.ClientSession(stack.base_url, connector=connector))


def is_unavailable(answer: Answer) -> bool:
    """Whether an answer says in the form of the standard that it is no answer."""
    status, content, headers = answer
    if status != 503:
        return False
    assert content["error"] == "temporarily_unavailable"
    assert int(headers["Retry-After"]) >= 1
    return True


@pytest.mark.parametrize("part", ["postgres", "core"])
async def test_while_a_part_is_dead_nothing_is_said_that_is_not_known(
    stack: Stack, app: App, part: str
) -> None:
    """A token is not called inactive, nor revoked: who hears that signs people out.

    And a flow goes on after it, whichever step it had come to.
    """
    tokens, unused, begun = await app.tokens(), await app.code(), await app.request_id()
    of_refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    await stack.kill(part)
    try:
        for path, fields in (
            ("/oauth/token", app.client.exchange(unused)),
            ("/oauth/token", of_refresh),
            ("/oauth/introspect", {"token": tokens["access_token"]}),
            ("/oauth/introspect", {"token": tokens["refresh_token"]}),
            ("/oauth/revoke", {"token": tokens["refresh_token"]}),
        ):
            answer = await app.send(path, fields)
            assert is_unavailable(answer), (path, fields, answer)
        answer = await app.user_info(tokens["access_token"])
        assert is_unavailable(answer), answer
    finally:
        await stack.start(part)
    await recovered(app)
    # Nothing was used up, and nothing has ended.
    assert (await app.user_info(tokens["access_token"]))[0] == 200
    assert (await app.token(of_refresh))[0] == 200
    for code in (unused, await app.approve(begun)):
        assert (await app.token(app.client.exchange(code)))[0] == 200
        status, refused, _ = await app.token(app.client.exchange(code))
        assert (status, refused["error"]) == (400, "invalid_grant")


async def test_without_valkey_tokens_are_given_and_read_or_it_says_that_it_cannot(
    stack: Stack, app: App
) -> None:
    tokens, code = await app.tokens(), await app.code()
    await stack.kill("valkey")
    try:
        answers = [
            await app.token(MACHINE),
            await app.send("/oauth/introspect", {"token": tokens["access_token"]}),
            await app.user_info(tokens["access_token"]),
        ]
        for answer in answers:
            assert answer[0] == 200 or is_unavailable(answer), answer
        exchanged = [await app.token(app.client.exchange(code)) for _ in range(2)]
        assert sum(answer[0] == 200 for answer in exchanged) <= 1
        wrong = await app.send("/oauth/token", MACHINE, basic(app.client.client_id, "wrong"))
        assert wrong[0] == 401 or is_unavailable(wrong), wrong
        status, _, page = await app.authorize()
        assert status in (303, 503), (status, page)
    finally:
        await stack.start("valkey")
    await recovered(app)


async def test_a_core_that_is_killed_during_exchanges_gives_each_code_once(
    stack: Stack, app: App
) -> None:
    """Whose answer was lost begins again: nothing that it presents makes a second family."""
    codes = [await app.code() for _ in range(10)]
    exchanges = [
        asyncio.create_task(app.token(app.client.exchange(code))) for code in codes for _ in "ab"
    ]
    await asyncio.sleep(0.03)
    await stack.kill("core")
    first = await asyncio.gather(*exchanges)
    await stack.start("core")
    await recovered(app)
    again = [await app.token(app.client.exchange(code)) for code in codes]
    for at, code_again in enumerate(again):
        answers = [*first[2 * at : 2 * at + 2], code_again]
        good = [content for status, content, _ in answers if status == 200]
        assert len(good) <= 1, answers
        assert all(status in (200, 400, 503) for status, _, _ in answers), answers


def basic(client_id: str, secret: str) -> dict[str, str]:
    plain = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {plain}"}


async def test_a_thousand_wrong_secrets_at_once_lock_nobody_out(stack: Stack, app: App) -> None:
    other = await new_app(stack, app.owner)
    before = memory(stack)

    async def wrong(number: int) -> int:
        headers = basic(app.client.client_id, f"wrong-{number}")
        status, content, answered = await app.send("/oauth/token", MACHINE, headers)
        assert content["error"] in ("invalid_client", "temporarily_unavailable")
        assert (status == 429) == ("Retry-After" in answered)
        return status

    guessing = asyncio.gather(*(wrong(number) for number in range(AT_ONCE)))
    during = [await each.token(MACHINE) for _ in range(5) for each in (app, other)]
    statuses = Counter(await guessing)
    assert set(statuses) == {401, 429}, statuses
    assert statuses[401] <= 2 * ALLOWED_FAILURES, statuses
    assert {status for status, _, _ in during} == {200}
    assert {(await each.token(MACHINE))[0] for each in (app, other)} == {200}
    await other.http.close()
    assert memory(stack) - before < 64 * 2**20


async def test_a_thousand_authorizations_of_one_person_leave_one_grant(
    stack: Stack, app: App
) -> None:
    before = memory(stack)

    async def authorize(_: int) -> int:
        return (await app.authorize())[0]

    opened = Counter(await asyncio.gather(*(authorize(each) for each in range(AT_ONCE))))
    assert set(opened) <= {303, 429, 503}, opened
    assert opened[303] > 0
    request_id = await app.request_id()
    codes = await asyncio.gather(*(app.approve(request_id) for _ in range(20)))
    answers = await asyncio.gather(*(app.token(app.client.exchange(code)) for code in codes))
    # One request, so one code: the last.
    assert sum(status == 200 for status, _, _ in answers) <= 1
    granted = await app.owner.client.call("GET", "/users/me/grants", expect=200)
    assert len([each for each in granted if each["clientId"] == app.client.client_id]) == 1
    assert memory(stack) - before < 64 * 2**20


async def test_no_log_has_what_could_be_used(stack: Stack, app: App) -> None:
    """Codes, verifiers, tokens and secrets, of requests that were answered and refused."""
    code = await app.code()
    exchange = app.client.exchange(code)
    _, tokens, _ = await app.token(exchange)
    await app.send("/oauth/revoke", {"token": "x" + tokens["refresh_token"]})
    await app.authorize(id_token_hint=tokens["id_token"], prompt="none")
    await app.user_info(tokens["access_token"] + "x")
    secrets = [code, app.client.verifier, app.client.client_secret]
    secrets += [tokens[name] for name in ("access_token", "refresh_token", "id_token")]
    secrets.append(app.client.basic["Authorization"].removeprefix("Basic "))
    logs = {
        path.name: path.read_text(errors="replace") for path in stack.settings.logs_dir.iterdir()
    }
    found = [
        (name, secret[:6]) for name, log in logs.items() for secret in secrets if secret in log
    ]
    assert not found


async def recovered(app: App) -> None:
    """Waits until a token is given and the API is served once more."""

    async def served() -> bool:
        headers = {"authorization": f"Bearer {app.owner.client.token}"}
        async with app.owner.client.http.get("/api/v1/users/me", headers=headers) as answer:
            if answer.status != 200:
                return False
        return (await app.token(MACHINE))[0] == 200

    await eventually(served, within=RECOVERY_SECONDS, every=0.1)


def memory(stack: Stack) -> int:
    """What the core and the pages hold, in bytes."""
    return sum(resident(stack.pid(part)) for part in ("core", "web"))


def resident(pid: int) -> int:
    """What a process holds in memory, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    [kilobytes] = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(kilobytes) * 1024
