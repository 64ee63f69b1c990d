"""An application and a person with a real browser: asked, allowed, denied, sent back, withdrawn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from aiohttp import web

from portico_kit.testing.waiting import eventually
from tests.browser.authenticator import Authenticator
from tests.browser.chromium import requires_chromium
from tests.browser.conftest import NewVisitor
from tests.browser.test_browser_access import LONG, Inspector
from tests.browser.test_browser_passkeys import NO_OFFERS, add_passkey, named, sign_out
from tests.browser.visitor import Account, Visitor
from tests.stack import Stack
from tests.web.browser import FrontDoorBrowser
from tests.web.oauth_client import OAuthClient

pytestmark = requires_chromium


@dataclass
class Callback:
    """Where the application listens: it leads on to a page of its own, at another origin."""

    port: int = 0
    received: list[dict[str, str]] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/callback"

    async def receive(self, request: web.Request) -> web.Response:
        values = await request.post() if request.method == "POST" else request.query
        self.received.append({name: str(value) for name, value in values.items()})
        headers = {"Location": f"http://localhost:{self.port}/welcome"}
        return web.Response(status=303, headers=headers)

    async def welcome(self, request: web.Request) -> web.Response:
        return web.Response(text="<h1>Welcome back</h1>", content_type="text/html")


@pytest.fixture
async def callback() -> AsyncIterator[Callback]:
    """A running one."""
    callback = Callback()
    app = web.Application()
    app.router.add_route("*", "/callback", callback.receive)
    app.router.add_get("/welcome", callback.welcome)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    callback.port = runner.addresses[0][1]
    yield callback
    await runner.cleanup()


async def new_application(
    stack: Stack, owner: Account, callback: Callback, name: str = "Analytical Engine"
) -> OAuthClient:
    """A native application of an organization of the owner's; its port is free."""
    founded = await owner.call(stack, "POST", "/organizations", {"name": name}, expect=201)
    body = {
        "name": name,
        "kind": "native",
        "redirectUris": ["http://127.0.0.1/callback"],
        "scopes": ["openid", "profile", "email", "projects:read"],
        "policyUri": "https://app.example.com/privacy",
        "tosUri": "https://app.example.com/terms",
    }
    path = f"/organizations/{founded['id']}/applications"
    made = await owner.call(stack, "POST", path, body, expect=201)
    application = made.get("application", made)
    return OAuthClient(application["id"], redirect_uri=callback.uri)


@pytest.fixture
async def application(stack: Stack, ada: Account, callback: Callback) -> OAuthClient:
    """An application of the person's own."""
    return await new_application(stack, ada, callback)


async def exchange(stack: Stack, application: OAuthClient, code: str) -> Any:
    """The application gets its tokens."""
    program = FrontDoorBrowser(stack.base_url)
    try:
        form = {**application.exchange(code), "client_id": application.client_id}
        status, tokens = await application.call(program, "/oauth/token", form, {})
    finally:
        await program.close()
    assert status == 200, tokens
    return tokens


async def test_a_person_lets_an_application_in_and_shuts_it_out(
    visitor: Visitor, ada: Account, application: OAuthClient, callback: Callback, stack: Stack
) -> None:
    await visitor.open(application.request())
    await visitor.sign_in(ada)
    assert await visitor.heading() == "Analytical Engine asks for access"
    assert f"127.0.0.1:{callback.port}" in await visitor.text()
    await visitor.page.reload()
    await visitor.press("Allow")
    assert await visitor.heading() == "Welcome back"
    [back] = callback.received
    assert (back["state"], back["iss"]) == (application.state, stack.base_url)
    tokens = await exchange(stack, application, back["code"])
    assert tokens["token_type"] == "Bearer"
    # Allowed before: nobody is asked, and nothing is shown.
    await visitor.open(application.request())
    assert await visitor.heading() == "Welcome back"
    await visitor.open("/account/applications")
    assert "Analytical Engine" in await visitor.text()
    await visitor.press("Withdraw what Analytical Engine may do")
    assert "You have let none in." in await visitor.text()
    await visitor.open(application.request())
    assert await visitor.heading() == "Analytical Engine asks for access"
    await visitor.press("Do not allow")
    assert callback.received[-1]["error"] == "access_denied"


async def test_after_a_sign_in_the_browser_goes_on_to_the_application_by_itself(
    visitor: Visitor,
    new_visitor: NewVisitor,
    ada: Account,
    application: OAuthClient,
    callback: Callback,
) -> None:
    await visitor.open(application.request())
    await visitor.sign_in(ada)
    await visitor.press("Allow")
    other = await new_visitor()
    await other.open(application.request())
    await other.sign_in(ada)
    await other.page.wait_for_url("**/welcome")
    assert len(callback.received) == 2
    # And so after a confirmation.
    await other.open(application.request(prompt="login"))
    assert other.path == "/step-up"
    await other.fill(password=ada.password)
    await other.page.get_by_role("button", name="Confirm", exact=True).click()
    await other.page.wait_for_url("**/welcome")
    assert "code" in callback.received[-1]


async def test_an_application_that_asks_for_a_passkey_has_it_shown_in_a_step_up(
    new_visitor: NewVisitor,
    ada: Account,
    application: OAuthClient,
    callback: Callback,
    stack: Stack,
) -> None:
    """`acr_values=phr`, of somebody who has signed in with a code: the passkey is what is left."""
    visitor = await new_visitor(scripts=True, base_url=named(stack))
    await visitor.context.add_init_script(NO_OFFERS)
    await Authenticator.plug_in(visitor)
    await visitor.sign_in(ada)
    codes = await add_passkey(visitor, "Laptop")
    await sign_out(visitor)
    await visitor.sign_in(ada)
    await visitor.follow("Recovery code")
    await visitor.fill(code=codes[0])
    await visitor.press("Sign in")
    assert visitor.path == "/account"
    await visitor.open(application.request(acr_values="phr"))
    assert visitor.path == "/step-up"
    await visitor.press("Use a passkey")
    assert await visitor.heading() == "Analytical Engine asks for access"
    await visitor.press("Allow")
    assert await visitor.heading() == "Welcome back"
    tokens = await exchange(stack, application, callback.received[-1]["code"])
    said = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert said["acr"] == "phr"
    assert {"hwk", "mfa", "user"} <= set(said["amr"])


@pytest.mark.parametrize("scripts", [False, True])
async def test_a_form_brings_the_answer_with_a_script_or_with_a_button(
    new_visitor: NewVisitor,
    ada: Account,
    application: OAuthClient,
    callback: Callback,
    scripts: bool,
) -> None:
    visitor = await new_visitor(scripts=scripts)
    await visitor.open(application.request(response_mode="form_post"))
    await visitor.sign_in(ada)
    allow = visitor.page.get_by_role("button", name="Allow", exact=True)
    await allow.click()
    if not scripts:
        await visitor.page.get_by_role("button", name="Continue", exact=True).click()
    await visitor.page.wait_for_url("**/welcome")

    async def arrived() -> bool:
        return bool(callback.received)

    await eventually(arrived)
    assert callback.received[0]["state"] == application.state


async def test_everybody_can_decide(
    new_visitor: NewVisitor, axe: str, ada: Account, callback: Callback, stack: Stack
) -> None:
    """Each page, with long names, in German, whose words are longer, and several organizations."""
    application = await new_application(stack, ada, callback, LONG)
    await ada.call(stack, "POST", "/organizations", {"name": LONG[::-1]}, expect=201)
    visitor = await new_visitor(scripts=True, locale="de")
    inspector, page = Inspector(visitor, axe), visitor.page
    await visitor.open("/sign-in")
    await visitor.fill(email=ada.email, password=ada.password)
    await visitor.go(page.locator("main button").first)
    found = []
    wrong = f"/oauth/authorize?{urlencode({'client_id': 'x' * 60})}"
    for path in (application.request(), wrong, "/oauth/consent"):
        await visitor.open(path)
        found += await inspector.findings()
    await visitor.open(application.request())
    buttons = [await page.locator(name).bounding_box() for name in ("#approve", "#deny")]
    widths = {box["width"] for box in buttons if box}
    assert len(widths) == 1, "to allow and to deny are equally easy"
    await page.locator("#approve").click()
    await page.wait_for_url("**/welcome")
    await visitor.open("/account/applications")
    found += await inspector.findings()
    assert found == []


async def test_a_person_lets_a_device_in(
    new_visitor: NewVisitor, axe: str, ada: Account, stack: Stack
) -> None:
    """From the address that the device shows to its tokens; every page is for everybody."""
    founded = await ada.call(stack, "POST", "/organizations", {"name": LONG}, expect=201)
    await ada.call(stack, "POST", "/organizations", {"name": LONG[::-1]}, expect=201)
    body = {"name": LONG, "kind": "device", "scopes": ["openid", "email", "projects:read"]}
    path = f"/organizations/{founded['id']}/applications"
    made = await ada.call(stack, "POST", path, body, expect=201)
    device = OAuthClient(made["application"]["id"])
    program = FrontDoorBrowser(stack.base_url)
    try:
        named = {"client_id": device.client_id}
        status, codes = await device.call(program, "/oauth/device_authorization", named, {})
        assert status == 200, codes
        assert codes["verification_uri"] == f"{stack.base_url}/device"
        visitor = await new_visitor(scripts=True, locale="de")
        inspector, page = Inspector(visitor, axe), visitor.page
        await visitor.open(codes["verification_uri_complete"].removeprefix(stack.base_url))
        await visitor.fill(email=ada.email, password=ada.password)
        await visitor.go(page.locator("main button").first)
        assert await page.locator("#user_code").input_value() == codes["user_code"]
        found = await inspector.findings()
        await visitor.press("Weiter")
        assert codes["user_code"] in await visitor.text()
        found += await inspector.findings()
        # The browser itself holds whoever has not ticked the box.
        await page.locator("#approve").click()
        assert await page.locator("#confirmed:invalid").count() == 1
        await page.locator("#confirmed").check()
        await visitor.go(page.locator("#approve"))
        assert await visitor.heading() == "Das Gerät ist verbunden"
        found += await inspector.findings()
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": codes["device_code"],
            **named,
        }
        status, tokens = await device.call(program, "/oauth/token", form, {})
        assert status == 200, tokens
        assert found == []
    finally:
        await program.close()
