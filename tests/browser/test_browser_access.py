"""Everybody can use the pages: axe finds nothing, the keyboard reaches all, nothing is too wide."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from tests.browser.authenticator import Authenticator
from tests.browser.chromium import requires_chromium
from tests.browser.conftest import NewVisitor
from tests.browser.test_browser_factors import Phone
from tests.browser.test_browser_passkeys import NO_OFFERS, named
from tests.browser.test_browser_sessions import invite
from tests.browser.visitor import Account, Visitor
from tests.platform.test_factors_page import sent_code
from tests.stack import Stack

pytestmark = requires_chromium
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPEN = (
    "/sign-in",
    "/sign-in?notice=signed-out",
    "/register",
    "/verify-email",
    "/verify-email?token=x",
    "/resend-verification",
    "/resend-verification?sent=yes",
    "/forgot-password",
    "/forgot-password?sent=yes",
    "/reset-password?token=x",
    "/confirm-email-change?token=x",
    "/confirm-email-change",
    "/revert-email-change?token=x",
    "/invitations/accept?token=x",
    "/nothing-here",
)
SIGNED_IN = (
    "/account?notice=saved",
    "/account/email",
    "/account/password",
    "/account/security",
    "/account/security/app",
    "/account/security/passkey",
    "/account/security/email",
    "/account/security/sms",
    "/step-up",
    "/account/sessions",
    "/account/organizations",
    "/account/delete",
    "/sign-out",
)
# The language whose words take more room.
LONGER = "de"
LONG = "Wolfeschlegelsteinhausenbergerdorff-Nebuchadnezzar"


class Inspector:
    """Looks at the page of a visitor, in both themes."""

    def __init__(self, visitor: Visitor, axe: str) -> None:
        self.visitor = visitor
        self._axe = axe

    async def violations(self, *, contrast: bool = True) -> list[str]:
        """What axe finds.

        Args:
            contrast: whether colours are compared, too, which takes it more than all the rest.
        """
        await self.visitor.page.emulate_media(color_scheme="light")
        await self.visitor.page.evaluate(self._axe + ";0")
        return await self._run(
            {"runOnly": TAGS, "rules": {"color-contrast": {"enabled": contrast}}}
        )

    async def dark_violations(self) -> list[str]:
        """What axe finds in the dark, after it has looked at the light: only colours differ."""
        await self.visitor.page.emulate_media(color_scheme="dark")
        return await self._run({"runOnly": {"type": "rule", "values": ["color-contrast"]}})

    async def _run(self, options: dict[str, Any]) -> list[str]:
        options = {**options, "resultTypes": ["violations"]}  # else it describes what is good, too
        result = await self.visitor.page.evaluate("options => axe.run(options)", options)
        return [
            f"{self.visitor.page.url} {each['id']}: {node['html'][:120]}"
            for each in result["violations"]
            for node in each["nodes"]
        ]

    async def too_wide(self) -> list[str]:
        """What does not fit at 320 pixels, nor with letters of twice the size at 640."""
        page, found = self.visitor.page, []
        for width, size in ((320, "100%"), (640, "200%")):
            await page.set_viewport_size({"width": width, "height": 700})
            await page.evaluate("size => document.documentElement.style.fontSize = size", size)
            actual = await page.evaluate("document.documentElement.scrollWidth")
            if actual > width:
                found.append(f"{page.url} is {actual} wide at {width}, {size}")
        await page.evaluate("document.documentElement.style.fontSize = ''")
        return found

    async def unreachable(self) -> list[str]:
        """What Tab does not reach in the order of the page, or shows no focus."""
        page = self.visitor.page
        wanted = await page.evaluate(
            """() => [...document.querySelectorAll('a[href],button,input,select,textarea')]
                .filter(e => e.type !== 'hidden' && !(e.type === 'radio' && !e.checked))
                .filter(e => e.getClientRects().length)
                .map((e, i) => { e.dataset.at = i; return i })"""
        )
        await page.evaluate(
            "document.activeElement.blur(); window.getSelection().removeAllRanges()"
        )
        await page.evaluate("document.body.setAttribute('tabindex', '-1'); document.body.focus()")
        await page.evaluate(
            """() => { window.seen = []; document.addEventListener('focusin', ({target}) => {
                const s = getComputedStyle(target);
                window.seen.push([target.dataset.at ?? '', s.outlineStyle + ' ' + s.outlineWidth])
            }) }"""
        )
        for _ in wanted:
            await page.keyboard.press("Tab")
        seen = await page.evaluate("window.seen")
        reached = [int(at or -1) for at, _ in seen]
        unseen = [
            f"{page.url} element {at} shows no focus"
            for at, outline in seen
            if outline.startswith("none") or outline.endswith(" 0px")
        ]
        if reached != wanted:
            unseen.append(f"{page.url} was reached as {reached}")
        return unseen

    async def findings(self, *, wording_alone: bool = False) -> list[str]:
        """All of it, or what can be otherwise in another language."""
        found = await self.violations(contrast=not wording_alone)
        if not wording_alone:
            found += [*await self.dark_violations(), *await self.unreachable()]
        found += await self.too_wide()
        await self.visitor.page.set_viewport_size({"width": 1280, "height": 800})
        return found


@pytest.mark.parametrize("language", ["en", LONGER])
async def test_everybody_can_use_the_open_pages(
    new_visitor: NewVisitor, axe: str, language: str
) -> None:
    inspector = Inspector(await new_visitor(scripts=True, locale=language), axe)
    found = []
    for path in OPEN:
        await inspector.visitor.open(path)
        found += await inspector.findings(wording_alone=language != LONGER)
    for path in ("/sign-in", "/register", "/forgot-password", "/reset-password?token=x"):
        await inspector.visitor.open(path)
        await inspector.visitor.page.evaluate("document.forms[0].noValidate = true")
        await inspector.visitor.go(inspector.visitor.page.locator("main button").first)
        assert await inspector.visitor.alert()
        found += await inspector.findings(wording_alone=language != LONGER)
    assert found == []


@pytest.mark.parametrize("language", ["en", LONGER])
async def test_everybody_can_use_the_account(
    new_visitor: NewVisitor, axe: str, language: str, stack: Stack
) -> None:
    person = await Account.make(stack, name=LONG)
    founded = await person.call(stack, "POST", "/organizations", {"name": LONG * 2}, expect=201)
    inspector = Inspector(await new_visitor(scripts=True, locale=language), axe)
    visitor = inspector.visitor
    await visitor.open("/sign-in")
    await visitor.fill(email=person.email, password=person.password)
    await visitor.go(visitor.page.locator("main button").first)
    found = []
    leave = f"/account/organizations/leave?organization_id={founded['id']}"
    for path in (*SIGNED_IN, leave):
        await visitor.open(path)
        assert visitor.path == path.partition("?")[0]
        found += await inspector.findings(wording_alone=language != LONGER)
    assert found == []


async def test_everybody_can_use_second_factors(
    new_visitor: NewVisitor, axe: str, stack: Stack
) -> None:
    """Each state that a page can be in; in German, whose words are longer."""
    person = await Account.make(stack, name=LONG)
    inspector = Inspector(await new_visitor(scripts=True, locale="de", base_url=named(stack)), axe)
    visitor, button = inspector.visitor, inspector.visitor.page.locator("main form button").first
    await visitor.context.add_init_script(NO_OFFERS)
    await Authenticator.plug_in(visitor)
    await visitor.open("/sign-in")
    found = await inspector.findings()  # with the button for passkeys
    await visitor.fill(email=person.email, password=person.password)
    await visitor.go(button)
    await visitor.page.locator("[data-passkey=offer]").wait_for()
    found += await inspector.findings()

    await visitor.open("/account/security/app")
    await visitor.go(button)
    secret = await visitor.page.locator("[name=secret]").input_value()
    phone = Phone(secret)
    found += await inspector.findings()
    await visitor.fill(code=phone.wrong_code(), name=LONG)
    await visitor.go(button)
    assert await visitor.alert()
    found += await inspector.findings()
    await visitor.fill(code=phone.code())
    await visitor.go(button)
    assert await visitor.page.locator("ol.codes").count() == 1
    found += await inspector.findings()
    await visitor.open("/account/security/passkey")
    await visitor.go(button)
    await visitor.open("/account/security/email")
    await visitor.go(button)
    assert await visitor.page.locator("#code").count() == 1
    found += await inspector.findings()
    await visitor.fill(code=await asyncio.to_thread(sent_code, stack.mailbox_url, person.email))
    await visitor.go(button)
    links = visitor.page.locator(".rows .buttons a")
    paths = [await links.nth(at).get_attribute("href") or "" for at in (0, 1)]
    for path in ("/account/security", *paths, "/account/security/recovery-codes"):
        await visitor.open(path)
        found += await inspector.findings()
    for method in ("totp", "passkey", "email", "email&sent=yes", "recovery_code"):
        await visitor.open(f"/step-up?method={method}")
        found += await inspector.findings()

    await visitor.open("/sign-out")
    await visitor.go(button)
    await visitor.fill(email=person.email, password=person.password)
    await visitor.go(button)
    for method in ("totp", "passkey", "recovery_code"):
        await visitor.open(f"/sign-in/verify?method={method}")
        assert visitor.path == "/sign-in/verify"
        found += await inspector.findings()
    await visitor.fill(code="wrong")
    await visitor.go(button)
    assert await visitor.alert()
    found += await inspector.findings()
    await visitor.open("/sign-in/verify?method=totp")
    await visitor.fill(code=phone.code())
    await visitor.page.locator("[name=remember_device]").check()
    await visitor.go(button)
    await visitor.open("/account/security")
    assert await visitor.page.locator("button[name=forget]").count() == 1
    found += await inspector.findings()
    await visitor.go(visitor.page.locator("button[name=forget]"))
    assert "vergessen" in await visitor.notice()
    assert found == []


async def test_everybody_can_use_an_invitation(
    new_visitor: NewVisitor, axe: str, stack: Stack, ada: Account
) -> None:
    guest = await Account.make(stack)
    link = await invite(stack, ada, guest.email)
    inspector = Inspector(await new_visitor(scripts=True), axe)
    await inspector.visitor.open(link)
    found = await inspector.findings()
    for account in (ada, guest):
        await inspector.visitor.open(f"/sign-in?return_to={quote(link, safe='')}")
        await inspector.visitor.sign_in(account)
        found += await inspector.findings()
        await inspector.visitor.open("/account")
        await inspector.visitor.press("Sign out")
    assert found == []


async def test_a_person_signs_in_with_the_keyboard_alone(visitor: Visitor, ada: Account) -> None:
    await visitor.open("/sign-in")
    keyboard = visitor.page.keyboard
    for _ in range(3):
        await keyboard.press("Tab")
    await keyboard.type(ada.email)
    await keyboard.press("Tab")
    await keyboard.type(ada.password)
    async with visitor.page.expect_navigation():
        await keyboard.press("Enter")
    await visitor.page.wait_for_load_state()
    assert visitor.path == "/account"


async def test_with_forced_colours_fields_and_buttons_have_an_outline(
    new_visitor: NewVisitor,
) -> None:
    visitor = await new_visitor(scripts=True, forced_colors="active")
    await visitor.open("/sign-in")
    widths = await visitor.page.evaluate(
        """[...document.querySelectorAll('main input:not([type=hidden]), main button')]
            .map(e => parseFloat(getComputedStyle(e).borderTopWidth))"""
    )
    assert widths
    assert all(width >= 1 for width in widths)
