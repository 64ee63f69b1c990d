"""Second factors as people meet them: enrolled, shown, lost and removed, without a script."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from uuid import uuid4

import psycopg
import pytest

from server.features.factors.totp import STEP_SECONDS, Totp
from tests.browser.chromium import requires_chromium
from tests.browser.conftest import NewVisitor
from tests.browser.visitor import Account, Visitor
from tests.platform.test_factors_page import sent_code
from tests.stack import Stack

pytestmark = requires_chromium
GROUPS = re.compile(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}")
OTHER_PASSWORD = "violet lantern orchard tide"


# So long a page may take from the reading of a code to its check.
TYPED_SECONDS = 10


class Phone:
    """An authenticator app, whose codes are good once each."""

    def __init__(self, secret: str) -> None:
        self._totp = Totp(base64.b32decode(secret + "=" * (-len(secret) % 8)))
        self._last = 0

    def code(self) -> str:
        """The first code that was not used yet; the ones beside the present one are good, too."""
        # The one before the present one ends with the present step: it must last until it is used.
        oldest = int(time.time() + TYPED_SECONDS) // STEP_SECONDS - 1
        self._last = max(self._last + 1, oldest)
        while self._last > int(time.time()) // STEP_SECONDS + 1:
            time.sleep(0.5)
        return self._totp.code(self._last)

    def wrong_code(self) -> str:
        """One that is not good now."""
        now = int(time.time()) // STEP_SECONDS
        near = {self._totp.code(now + step) for step in range(-4, 5)}
        return next(code for code in (f"{number:06}" for number in range(20)) if code not in near)


async def add_app(visitor: Visitor) -> tuple[Phone, list[str]]:
    """Adds an app, from the list of factors on; gives it and the recovery codes."""
    await visitor.open("/account/security")
    await visitor.follow("Add an app")
    await visitor.press("Show the key")
    found = GROUPS.search(await visitor.text())
    assert found is not None
    phone = Phone(found[0].replace(" ", ""))
    await visitor.fill(code=phone.code(), name="Phone")
    await visitor.press("Add the app")
    codes = await visitor.page.locator("ol.codes code").all_inner_texts()
    return phone, codes


def make_stale(stack: Stack, account: Account) -> None:
    """Has everything that the person has shown be an hour old."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(
            """UPDATE sessions SET created_at = created_at - interval '1 hour',
            authentications = (
                SELECT jsonb_agg(each || jsonb_build_object('at', (each->>'at')::numeric - 3600))
                FROM jsonb_array_elements(authentications) AS each
            ) WHERE user_id = %s""",
            [account.client.user["id"]],
        )


async def test_an_app_is_added_and_from_then_on_a_password_is_not_enough(
    visitor: Visitor, new_visitor: NewVisitor, ada: Account
) -> None:
    await visitor.sign_in(ada)
    phone, codes = await add_app(visitor)
    assert len(set(codes)) == 10
    assert "“Phone” is added." in await visitor.text()
    async with visitor.page.expect_download() as saved:
        await visitor.page.get_by_role("link", name="Save as a file").click()
    content = (await (await saved.value).path()).read_text()
    assert content.split() == codes
    await visitor.follow("I have kept them")
    assert "Codes left: 10 of 10" in await visitor.text()

    other = await new_visitor()
    await other.open("/sign-in?return_to=/account/sessions")
    await other.sign_in(ada)
    assert other.path == "/sign-in/verify"
    await other.fill(code=phone.wrong_code())
    await other.press("Sign in")
    assert "code is wrong" in await other.alert()
    assert await other.page.locator("#code").input_value() == ""
    await other.fill(code=phone.code())
    await other.press("Sign in")
    assert other.path == "/account/sessions"

    # Without the phone.
    third = await new_visitor()
    await third.sign_in(ada)
    await third.follow("Recovery code")
    await third.fill(code=codes[0])
    await third.press("Sign in")
    assert third.path == "/account"
    await third.follow("Sign-in and security")
    assert "Codes left: 9 of 10" in await third.text()


async def test_a_step_up_in_the_middle_of_a_change_leads_back_to_it(
    visitor: Visitor, ada: Account, stack: Stack
) -> None:
    await visitor.sign_in(ada)
    phone, _ = await add_app(visitor)
    make_stale(stack, ada)
    await visitor.open("/account/email")
    await visitor.fill(new_email="countess@example.com", current_password=ada.password)
    await visitor.press("Send the link")
    assert visitor.path == "/step-up"
    assert await visitor.heading() == "Confirm that it is you"
    await visitor.fill(code=phone.code())
    await visitor.press("Confirm")
    assert visitor.path == "/account/email"
    assert "You can go on now" in await visitor.notice()
    assert await visitor.page.locator("#new_email").input_value() == "countess@example.com"
    assert await visitor.page.locator("#current_password").input_value() == ""
    await visitor.fill(current_password=ada.password)
    await visitor.press("Send the link")
    assert "sent a link" in await visitor.notice()


async def test_the_last_factor_is_removed_after_a_step_up_by_recovery_code(
    visitor: Visitor, new_visitor: NewVisitor, ada: Account, stack: Stack
) -> None:
    await visitor.sign_in(ada)
    _, codes = await add_app(visitor)
    await visitor.follow("I have kept them")
    await visitor.follow("Rename Phone")
    await visitor.fill(name="Lost phone")
    await visitor.press("Save")
    make_stale(stack, ada)
    await visitor.follow("Remove Lost phone")
    assert "your last second factor" in await visitor.text()
    await visitor.press("Remove")
    assert visitor.path == "/step-up"
    await visitor.follow("Recovery code")
    await visitor.fill(code=codes[3])
    await visitor.press("Confirm")
    # Nothing has happened yet.
    assert await visitor.heading() == "Remove Lost phone?"
    await visitor.press("Remove")
    assert "removed" in await visitor.notice()
    assert "no second factor" in await visitor.text()
    other = await new_visitor()
    await other.sign_in(ada)
    assert other.path == "/account"


async def test_somebody_without_a_factor_confirms_with_the_password(
    visitor: Visitor, ada: Account, stack: Stack
) -> None:
    await visitor.sign_in(ada)
    make_stale(stack, ada)
    await visitor.open("/account/security/app")
    await visitor.press("Show the key")
    assert visitor.path == "/step-up"
    await visitor.fill(password=OTHER_PASSWORD)
    await visitor.press("Confirm")
    assert "not your password" in await visitor.alert()
    await visitor.fill(password=ada.password)
    await visitor.press("Confirm")
    assert visitor.path == "/account/security/app"
    await visitor.press("Show the key")
    assert GROUPS.search(await visitor.text())
    # The picture can be seen: nothing of it is held back by the policy.
    box = await visitor.page.locator(".qr svg").bounding_box()
    assert box is not None
    assert box["width"] > 150


async def test_a_code_is_entered_with_the_keyboard_alone(visitor: Visitor, ada: Account) -> None:
    await visitor.sign_in(ada)
    phone, _ = await add_app(visitor)
    await visitor.open("/sign-out")
    await visitor.page.locator("main button").click()
    await visitor.sign_in(ada)
    for _ in range(3):
        await visitor.page.keyboard.press("Tab")
    await visitor.page.keyboard.type(phone.code())
    async with visitor.page.expect_navigation():
        await visitor.page.keyboard.press("Enter")
    await visitor.page.wait_for_load_state()
    assert visitor.path == "/account"


@pytest.mark.parametrize("path", ["/sign-in", "/account/security/passkey"])
async def test_without_a_script_passkeys_are_not_offered(
    visitor: Visitor, ada: Account, path: str
) -> None:
    if path != "/sign-in":
        await visitor.sign_in(ada)
    await visitor.open(path)
    assert await visitor.page.get_by_role("button", name="passkey").count() == 0


async def test_a_code_by_sms_is_added_and_signs_in(
    visitor: Visitor, new_visitor: NewVisitor, ada: Account, stack: Stack
) -> None:
    number = f"+491512{uuid4().int % 9_000_000 + 1_000_000}"
    await visitor.sign_in(ada)
    await visitor.open("/account/security")
    await visitor.follow("Add a phone")
    await visitor.fill(phone_number="12345678")
    await visitor.press("Send a code")
    assert "international form" in await visitor.alert()
    await visitor.fill(phone_number=number)
    await visitor.press("Send a code")
    await visitor.fill(code="000000")
    await visitor.press("Confirm")
    assert "code is wrong" in await visitor.alert()
    code = await asyncio.to_thread(sent_code, stack.mailbox_url, number)
    await visitor.fill(code=code, name="My phone")
    await visitor.press("Confirm")
    assert "“My phone” is added." in await visitor.text()
    other = await new_visitor()
    await other.sign_in(ada)
    await other.follow("Recovery code")
    await other.follow("Code by text message")
    await other.press("Send a code")
    # The one that added the number was sent less than a minute ago.
    assert "Please wait" in await other.alert()
