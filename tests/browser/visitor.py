"""A person in front of a browser, and the account that they may have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
from playwright.async_api import Browser, BrowserContext, Locator, Page, Response

from portico_kit.testing.waiting import eventually
from tests.platform.conftest import PASSWORD, Client, verify
from tests.stack import Stack
from tests.support.addresses import new_address

PATIENCE_MS = 15_000
MAIL_SECONDS = 20.0


def new_email(name: str = "ada") -> str:
    """An address that nobody has."""
    return f"{name}.{uuid4().hex[:12]}@example.com"


@dataclass
class Account:
    """An account that is verified, and a client of the API that is signed in to it."""

    email: str
    client: Client
    password: str = PASSWORD

    @classmethod
    async def make(cls, stack: Stack, email: str = "", name: str = "Ada Lovelace") -> Account:
        """Registers and verifies it over the API."""
        email = email or new_email()
        async with stack.rest() as http:
            client = Client(http)
            body = {"email": email, "password": PASSWORD, "displayName": name}
            client.user = await client.call(
                "POST", "/auth/register", {**body, "acceptedTerms": True}, expect=201
            )
            await verify(stack, client.user["id"])
            login = {"email": email, "password": PASSWORD}
            client.token = (await client.call("POST", "/auth/login", login, expect=200))[
                "accessToken"
            ]
        return cls(email, client)

    async def call(
        self, stack: Stack, verb: str, path: str, json: Any = None, *, expect: int
    ) -> Any:
        """One request of the API in the name of the account."""
        async with stack.rest() as http:
            self.client.http = http
            return await self.client.call(verb, path, json, expect=expect)


@dataclass
class Visitor:
    """Somebody with a browser of their own, at an address of their own."""

    stack: Stack
    context: BrowserContext
    page: Page

    @classmethod
    async def arrive(
        cls, stack: Stack, browser: Browser, *, scripts: bool, **options: Any
    ) -> Visitor:
        """Opens the browser, on an empty page."""
        options.setdefault("locale", "en-GB")
        options.setdefault("base_url", stack.base_url)
        context = await browser.new_context(
            java_script_enabled=scripts,
            extra_http_headers={"x-forwarded-for": new_address()},
            **options,
        )
        context.set_default_timeout(PATIENCE_MS)
        return cls(stack, context, await context.new_page())

    async def open(self, path: str) -> Response:
        """Opens a page."""
        response = await self.page.goto(path)
        assert response is not None
        return response

    async def fill(self, **fields: str) -> None:
        """Types into fields, by their names."""
        for name, text in fields.items():
            await self.page.locator(f"[name={name}]:visible").fill(text)

    async def press(self, label: str) -> None:
        """Presses a button, by what it says, and waits for the page after it."""
        await self.go(self.page.get_by_role("button", name=label, exact=True))

    async def follow(self, label: str) -> None:
        """Follows a link, by what it says."""
        await self.go(self.page.get_by_role("link", name=label, exact=True))

    async def go(self, control: Locator) -> None:
        """Clicks on what leads to another page, and waits until that is there.

        The old page is marked: what a browser reports of navigations may be about the one
        before, and its address may stay the same.
        """
        await self.page.evaluate("document.documentElement.dataset.left = 'yes'")
        await control.click()
        await self.page.locator("html:not([data-left])").wait_for(state="attached")
        await self.page.wait_for_load_state()

    async def sign_in(self, account: Account) -> None:
        """Signs in, from wherever the form is."""
        if "/sign-in" not in self.page.url:
            await self.open("/sign-in")
        await self.fill(email=account.email, password=account.password)
        await self.press("Sign in")

    @property
    def path(self) -> str:
        """The path of the page."""
        return urlsplit(self.page.url).path

    async def heading(self) -> str:
        """What the page is called."""
        return await _text(self.page.locator("h1"))

    async def notice(self) -> str:
        """What the page says was done."""
        return await _text(self.page.get_by_role("status"))

    async def alert(self) -> str:
        """What the page says went wrong."""
        return await _text(self.page.get_by_role("alert").first)

    async def text(self) -> str:
        """All that can be read."""
        return await self.page.locator("body").inner_text()


async def _text(locator: Locator) -> str:
    return (await locator.inner_text()) if await locator.count() else ""


async def mailed_link(stack: Stack, address: str, path: str) -> str:
    """The link to a page in the newest mail to an address that has one, without the host."""
    pattern = re.compile(re.escape(path) + r"\?token=[A-Za-z0-9_.~%-]+")
    found: list[str] = []

    async def arrived() -> bool:
        async with (
            aiohttp.ClientSession(stack.mailbox_url) as session,
            session.get("/messages") as answer,
        ):
            messages = (await answer.json())["messages"]
        texts = [unescape(each["text"]) for each in messages if address in each["to"]]
        found[:] = [hit[0] for text in texts if (hit := pattern.search(text))]
        return bool(found)

    await eventually(arrived, within=MAIL_SECONDS, every=0.1)
    return found[0]
