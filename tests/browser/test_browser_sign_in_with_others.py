"""Signing in at a certified provider as people meet it: first, again, linked, unlinked, refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from edge.web.cookies import FEDERATED
from tests.browser.chromium import requires_chromium
from tests.browser.conftest import NewVisitor
from tests.browser.test_browser_access import LONG, Inspector
from tests.browser.test_browser_factors import add_app, make_stale
from tests.browser.visitor import Account, Visitor
from tests.node import requires_node
from tests.stack import Stack
from tests.support.openid import CLIENT_ID, CLIENT_SECRET, CertifiedProvider, certified_provider

pytestmark = [requires_chromium, requires_node]
CALLBACK = "/sign-in/callback"
IDENTITIES = "/account/identities"


@dataclass(frozen=True)
class Connection:
    """A connection of the platform with the certified provider."""

    id: str
    name: str
    administrator: Account

    @property
    def button(self) -> str:
        return f"Continue with {self.name}"


@pytest.fixture(scope="module")
async def provider(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[CertifiedProvider]:
    """The provider, which sends browsers back to the pages."""
    folder: Path = tmp_path_factory.mktemp("openid")
    callback = f"{stack.base_url}{CALLBACK}"
    async with certified_provider(callback, f"{stack.base_url}/unused", folder) as provider:
        yield provider


@pytest.fixture(scope="module")
async def connection(stack: Stack, provider: CertifiedProvider) -> AsyncIterator[Connection]:
    """A connection with it; the name is as long as one can be called."""
    administrator = await Account.make(stack)
    with psycopg.connect(stack.database_url, autocommit=True) as database:
        statement = "update users set role = 'administrator' where id = %s"
        database.execute(statement, [administrator.client.user["id"]])
    name = f"{LONG[:40]} {uuid4().hex[:6]}"
    body = {
        "name": name,
        "preset": "oidc",
        "issuer": provider.issuer,
        "clientId": CLIENT_ID,
        "clientSecret": CLIENT_SECRET,
        "trustedDomains": ["example.com"],
    }
    made = await administrator.call(stack, "POST", "/platform-connections", body, expect=201)
    yield Connection(made["id"], name, administrator)
    path = f"/platform-connections/{made['id']}"
    await administrator.call(stack, "DELETE", path, expect=204)


def new_login() -> str:
    """Somebody whom the provider knows, and we do not."""
    return f"grace.{uuid4().hex[:12]}"


async def agree(visitor: Visitor, provider: CertifiedProvider, login: str) -> None:
    """Goes through the pages of the provider, and waits to be brought back."""
    page = visitor.page
    await page.wait_for_url(f"{provider.issuer}/**")
    fields = page.locator("input[name=login]")
    if await fields.count():
        await fields.fill(login)
        await page.locator("input[name=password]").fill("whatever")
        await visitor.go(page.locator("button[type=submit]"))
    if page.url.startswith(provider.issuer):
        await page.locator("button[type=submit]").click()
        await page.wait_for_url(f"{visitor.stack.base_url}/**")
    await page.wait_for_load_state()


async def go_there(visitor: Visitor, button: str) -> None:
    """Presses a button that leads to the provider, by way of a page of ours."""
    await visitor.page.get_by_role("button", name=button, exact=True).click()


async def sign_in(
    visitor: Visitor, provider: CertifiedProvider, connection: Connection, login: str
) -> None:
    """Signs in at the provider, from wherever the button is."""
    await go_there(visitor, connection.button)
    await agree(visitor, provider, login)


async def test_a_person_signs_in_the_first_time_and_again(
    visitor: Visitor,
    new_visitor: NewVisitor,
    provider: CertifiedProvider,
    connection: Connection,
) -> None:
    login = new_login()
    await visitor.open("/sign-in?return_to=/account/sessions")
    await sign_in(visitor, provider, connection, login)
    assert visitor.path == "/account/sessions"
    assert f"{login}@example.com" in await visitor.text()
    await visitor.press("Sign out")
    assert await visitor.heading() == "Sign out there, too?"
    await visitor.follow("Sign in again")
    await go_there(visitor, connection.button)
    await visitor.page.wait_for_url("**/account")  # the provider knows this browser
    other = await new_visitor()
    await other.open("/register")
    await sign_in(other, provider, connection, login)
    assert other.path == "/account"
    assert f"{login}@example.com" in await other.text()


async def test_a_person_signs_out_here_and_at_the_provider(
    visitor: Visitor, provider: CertifiedProvider, connection: Connection
) -> None:
    await visitor.open("/sign-in")
    await sign_in(visitor, provider, connection, new_login())
    await visitor.press("Sign out")
    assert await visitor.notice() == "You are signed out."
    there = visitor.page.get_by_role("link", name=f"Sign out at {connection.name}, too")
    await there.click()
    await visitor.page.wait_for_url(f"{provider.issuer}/**")
    await visitor.page.locator("button[value=yes]").click()
    await visitor.page.wait_for_url(f"{visitor.stack.base_url}/sign-in")
    # Now the provider asks who it is.
    await go_there(visitor, connection.button)
    await visitor.page.wait_for_url(f"{provider.issuer}/**")
    await visitor.page.locator("input[name=login]").wait_for()


async def test_a_person_links_and_unlinks_and_confirms_that_it_is_them(
    visitor: Visitor,
    provider: CertifiedProvider,
    connection: Connection,
    ada: Account,
    stack: Stack,
) -> None:
    await visitor.sign_in(ada)
    phone, _ = await add_app(visitor)
    make_stale(stack, ada)
    await visitor.open(IDENTITIES)
    await visitor.press(f"Link {connection.name}")
    assert visitor.path == "/step-up"
    await visitor.fill(code=phone.code())
    await visitor.press("Confirm")
    assert visitor.path == IDENTITIES
    login = new_login()
    await go_there(visitor, f"Link {connection.name}")
    await agree(visitor, provider, login)
    assert visitor.path == IDENTITIES
    assert await visitor.notice() == "The sign-in is linked. You can use it from now on."
    assert f"{login}@example.com" in await visitor.text()
    await visitor.follow(f"Unlink {connection.name}")
    await visitor.press("Unlink")
    assert await visitor.notice() == "The sign-in is no longer linked."
    assert "None is linked." in await visitor.text()


async def test_a_person_who_says_no_there_is_not_signed_in_and_begins_again(
    visitor: Visitor, provider: CertifiedProvider, connection: Connection
) -> None:
    await visitor.open("/sign-in?return_to=/account/email")
    await go_there(visitor, connection.button)
    await visitor.page.wait_for_url(f"{provider.issuer}/**")
    await visitor.page.get_by_role("link", name="Cancel").click()
    await visitor.page.wait_for_url(f"**{CALLBACK}**")
    assert await visitor.alert() == "The sign-in was canceled or refused there."
    await visitor.follow("Back to the sign-in")
    await sign_in(visitor, provider, connection, new_login())
    assert visitor.path == "/account/email"


async def test_the_provider_is_reached_with_the_keyboard_alone(
    visitor: Visitor, provider: CertifiedProvider, connection: Connection
) -> None:
    await visitor.open("/sign-in")
    button = visitor.page.get_by_role("button", name=connection.button, exact=True)
    for _ in range(40):
        await visitor.page.keyboard.press("Tab")
        if await button.evaluate("e => e === document.activeElement"):
            break
    await visitor.page.keyboard.press("Enter")
    await visitor.page.wait_for_url(f"{provider.issuer}/**")


async def test_everybody_can_use_sign_in_with_others(
    new_visitor: NewVisitor,
    axe: str,
    provider: CertifiedProvider,
    connection: Connection,
) -> None:
    """Each state of the pages, in German, whose words are longer."""
    visitor = await new_visitor(scripts=True, locale="de")
    inspector, page = Inspector(visitor, axe), visitor.page
    found = []
    for path in ("/sign-in", "/register", "/sign-in/single-sign-on", f"{CALLBACK}?state=x"):
        await visitor.open(path)
        found += await inspector.findings()
    await visitor.open("/sign-in/single-sign-on")
    await visitor.fill(email="ada@nowhere.example")
    await visitor.go(page.locator("main button").first)
    assert await visitor.alert()
    found += await inspector.findings()
    await visitor.open("/sign-in")
    await go_there(visitor, f"Weiter mit {connection.name}")
    await agree(visitor, provider, new_login())
    await visitor.open(IDENTITIES)
    found += await inspector.findings()
    await visitor.go(page.locator(".rows a").first)
    found += await inspector.findings()
    await visitor.go(page.locator("main button").first)
    assert "letzter Weg" in await visitor.alert()
    found += await inspector.findings()
    await visitor.open("/sign-out")
    await visitor.go(page.locator("main button").first)
    assert await visitor.notice() == "Sie sind abgemeldet."
    found += await inspector.findings()
    assert found == []


async def test_everybody_can_read_what_a_test_of_a_connection_shows(
    new_visitor: NewVisitor,
    axe: str,
    provider: CertifiedProvider,
    connection: Connection,
    stack: Stack,
) -> None:
    visitor = await new_visitor(scripts=True, locale="de")
    path = f"/platform-connections/{connection.id}/test"
    test = await connection.administrator.call(stack, "POST", path, {}, expect=200)
    await visitor.open("/sign-in")
    await visitor.context.add_cookies(
        [
            {
                "name": FEDERATED,
                "value": test["browserToken"],
                "domain": urlsplit(stack.base_url).hostname or "",
                "path": "/",
                "secure": True,
                "httpOnly": True,
            }
        ]
    )
    await visitor.page.goto(test["authorizationUrl"])
    await agree(visitor, provider, new_login())
    assert await visitor.heading() == "Die Verbindung wurde geprüft"
    assert await Inspector(visitor, axe).findings() == []
