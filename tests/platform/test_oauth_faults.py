"""Applications while parts of the platform are away, and while many call at once."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from portico_kit.testing.waiting import eventually
from tests.platform.conftest import PASSWORD, Tenant
from tests.platform.oauth_app import Answer, App, basic, new_app
from tests.stack import Stack
from tests.support.addresses import new_address
from tests.web.browser import FrontDoorBrowser, PageAnswer
from tests.web.oauth_client import CONSENT, FORM, decide, settled

MACHINE = {"grant_type": "client_credentials"}
AT_ONCE = 1000
# Of a client in a minute; the thousand may see two.
ALLOWED_FAILURES = 20
RECOVERY_SECONDS = 20.0


@pytest.fixture(scope="module")
async def app(stack: Stack, new_tenant: Any) -> AsyncIterator[App]:
    """An application of a tenant of its own."""
    owner: Tenant = await new_tenant()
    found = await new_app(stack, owner)
    yield found
    await found.http.close()


class AtTheConsent:
    """The owner of an application, with its question before them in a browser."""

    def __init__(self, stack: Stack, app: App) -> None:
        self.app = app
        self.browser = FrontDoorBrowser(stack.base_url)
        self.page: PageAnswer

    async def arrive(self) -> None:
        """Signs in on the way."""
        page = await self.app.client.send(self.browser, prompt="consent")
        email = self.app.owner.email
        answer = await self.browser.submit(page, "/sign-in", email=email, password=PASSWORD)
        self.page = await settled(self.browser, answer)
        assert self.page.heading.endswith("asks for access")

    async def is_told_to_come_back(self) -> None:
        """At each step: a page of ours, and the application hears nothing that is not known."""
        request_id = self.page.form(CONSENT).fields["request_id"]
        answers = [
            await self.browser.get(f"{CONSENT}?{urlencode({'request_id': request_id})}"),
            await decide(self.browser, self.page, "approve"),
            await decide(self.browser, self.page, "deny"),
        ]
        # What an application asks may be known without a look at the database.
        begun = await self.browser.get(self.app.client.request())
        if begun.status != 303:
            answers.append(begun)
        for answer in answers:
            assert (answer.status, answer.heading) == (503, "Back in a moment"), answer.text
            assert int(answer.headers["Retry-After"]) >= 1
            assert "Location" not in answer.headers
        assert not begun.headers.get("Location", "").startswith(self.app.client.redirect_uri)

    async def goes_on(self) -> None:
        """The same page, sent once more, gives the code."""
        code = self.app.client.answer(await decide(self.browser, self.page, "approve"))["code"]
        assert (await self.app.token(self.app.client.exchange(code)))[0] == 200
        await self.browser.close()


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
    person = AtTheConsent(stack, app)
    await person.arrive()
    tokens, unused, begun = await app.tokens(), await app.code(), await app.request_id()
    of_refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    racing = [await app.code() for _ in range(5)]
    exchanges = [
        asyncio.create_task(app.token(app.client.exchange(code))) for code in racing for _ in "ab"
    ]
    await asyncio.sleep(0.03)
    await stack.kill(part)
    try:
        answers = await asyncio.gather(*exchanges)
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
        await person.is_told_to_come_back()
    finally:
        await stack.start(part)
    await recovered(app)
    # Nothing was used up, and nothing has ended.
    await person.goes_on()
    assert (await app.user_info(tokens["access_token"]))[0] == 200
    assert (await app.token(of_refresh))[0] == 200
    for code in (unused, await app.approve(begun)):
        assert (await app.token(app.client.exchange(code)))[0] == 200
        status, refused, _ = await app.token(app.client.exchange(code))
        assert (status, refused["error"]) == (400, "invalid_grant")
    # Of the codes that were used at that moment, each gave tokens once at the most.
    for at, code in enumerate(racing):
        of_code = [*answers[2 * at : 2 * at + 2], await app.token(app.client.exchange(code))]
        statuses = [status for status, _, _ in of_code]
        assert statuses.count(200) <= 1, of_code
        assert set(statuses) <= {200, 400, 503}, of_code


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


# What public reports say that other servers have let through, or broken on.


@pytest.mark.parametrize(
    "to",
    [
        "https://app.example.com@attacker.example/callback",
        "https://app.example.com%25@attacker.example/callback",
        "https://a@b@app.example.com/callback",
        "https://app.example.com\\@attacker.example/callback",
        "https://app.example.com.attacker.example/callback",
        "https://app.example.com/callback/..;/other",
        "https://app.example.com/callback/../other",
        "https://app.example.com//callback",
        "//app.example.com/callback",
        "/callback",
        "https:app.example.com/callback",
        "https://app.example.com/callback#a",
        "https://app.example.com/callback?code=theirs",
        "https://app\u3002example.com/callback",
        "https://\u0430pp.example.com/callback",
        "HTTPS://app.example.com/callback",
        "https://app.example.com:443/callback",
        "https://app.example.com/callback\t",
        "https://app.example.com/callback\n//attacker.example",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
    ],
)
async def test_no_browser_is_sent_to_an_address_that_is_not_the_registered_one(
    app: App, to: str
) -> None:
    """With an error to give, without one, and silently."""
    for more in ({}, {"prompt": "none"}, {"scope": "made-up"}, {"response_mode": "form_post"}):
        status, location, page = await app.authorize(redirect_uri=to, **more)
        assert (status, location) == (400, ""), (to, more)
        assert "attacker" not in page
        assert "<script" not in page.lower().replace('<script src="/assets', "")


async def test_a_form_that_the_browser_sends_on_has_no_markup_of_the_request(app: App) -> None:
    state = "\"><script>alert(1)</script><input name='"
    for more in ({"prompt": "none"}, {"scope": "made-up"}):
        status, _, page = await app.authorize(response_mode="form_post", state=state, **more)
        if status == 303:
            # Not signed in is said on the next page.
            continue
        assert status == 200
        assert "<script>" not in page
        assert "&lt;script&gt;" in page


async def test_the_token_endpoint_takes_a_posted_form_alone(app: App) -> None:
    """Nothing that a link, a preview or a prefetch sends uses a code up."""
    code = await app.code()
    path = f"/oauth/token?{urlencode(app.client.exchange(code))}"
    for verb in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
        headers = {**app.client.basic, "X-Forwarded-For": new_address()}
        async with app.http.request(verb, path, headers=headers) as answer:
            assert answer.status == 405, verb
            assert answer.headers["Cache-Control"] == "no-store"
    status, refused, _ = await app.send(path, {})
    assert (status, refused["error"]) == (400, "invalid_request")
    assert (await app.token(app.client.exchange(code)))[0] == 200


async def test_an_application_authenticates_once_in_a_request(app: App) -> None:
    """Of two headers one would be chosen, and by each part another."""
    twice = [("Content-Type", FORM), ("X-Forwarded-For", new_address())]
    other = basic("somebody", "else")["Authorization"]
    for pair in ((app.client.basic["Authorization"], other), (other,) * 2):
        headers = [*twice, *(("Authorization", value) for value in pair)]
        async with app.http.post(
            "/oauth/token", data=urlencode(MACHINE).encode(), headers=headers
        ) as answer:
            assert answer.status in (400, 401), await answer.text()
            assert (await answer.json())["error"] in ("invalid_request", "invalid_client")


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/userinfo", "/oauth/revoke"])
async def test_pages_of_other_origins_may_ask_without_cookies(app: App, path: str) -> None:
    asked = {
        "Origin": "https://app.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    async with app.http.options(path, headers=asked) as answer:
        assert answer.status in (200, 204)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "authorization" in answer.headers["Access-Control-Allow-Headers"].lower()
        assert "Access-Control-Allow-Credentials" not in answer.headers
    async with app.http.options("/oauth/authorize", headers=asked) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_token_of_one_application_is_nothing_to_another_organization(
    stack: Stack, app: App, new_tenant: Any
) -> None:
    """Neither read, nor revoked, nor refreshed, nor exchanged."""
    tokens, code = await app.tokens(), await app.code()
    other = await new_app(stack, await new_tenant())
    for name in ("access_token", "refresh_token", "id_token"):
        form = {"token": tokens[name]}
        assert (await other.send("/oauth/introspect", form))[:2] == (200, {"active": False})
        assert (await other.send("/oauth/revoke", form))[0] == 200
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    for form in (refresh, {**app.client.exchange(code)}):
        status, refused, _ = await other.token(form)
        assert (status, refused["error"]) == (400, "invalid_grant")
    await other.http.close()
    assert (await app.user_info(tokens["access_token"]))[0] == 200
    assert (await app.token(app.client.exchange(code)))[0] == 200
    # An ID token is for the application, and opens nothing.
    assert (await app.user_info(tokens["id_token"]))[0] == 401
