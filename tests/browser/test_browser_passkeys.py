"""Passkeys in a real browser, with its virtual authenticator."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.browser.authenticator import Authenticator
from tests.browser.chromium import requires_chromium
from tests.browser.conftest import NewVisitor
from tests.browser.test_browser_factors import add_app, make_stale
from tests.browser.visitor import Account, Visitor
from tests.stack import Stack

pytestmark = requires_chromium


# A virtual device answers at once what a browser offers in a field, before any button is pressed.
NO_OFFERS = "PublicKeyCredential.isConditionalMediationAvailable = undefined"


@pytest.fixture
async def visitor(new_visitor: NewVisitor, stack: Stack) -> Visitor:
    """Somebody with scripts, at a host with a name: passkeys are for names alone."""
    return await new_visitor(scripts=True, base_url=named(stack))


@pytest.fixture
async def no_offers(visitor: Visitor) -> None:
    """The visitor's browser offers nothing in fields."""
    await visitor.context.add_init_script(NO_OFFERS)


@pytest.fixture
async def device(visitor: Visitor) -> Authenticator:
    """What keeps the visitor's passkeys."""
    return await Authenticator.plug_in(visitor)


def named(stack: Stack) -> str:
    """The platform's address with a name."""
    return stack.base_url.replace("127.0.0.1", "localhost")


async def add_passkey(visitor: Visitor, name: str) -> list[str]:
    """Adds a passkey; gives the recovery codes, if it is the first factor."""
    await visitor.open("/account/security")
    await visitor.follow("Add a passkey")
    await visitor.fill(name=name)
    await visitor.press("Create a passkey")
    codes = visitor.page.locator("ol.codes code")
    return await codes.all_inner_texts() if await codes.count() else []


async def sign_out(visitor: Visitor) -> None:
    await visitor.open("/sign-out")
    await visitor.go(visitor.page.locator("main button"))


@pytest.mark.usefixtures("no_offers")
async def test_a_passkey_is_added_and_signs_in_by_its_button(
    visitor: Visitor, device: Authenticator, ada: Account
) -> None:
    await visitor.sign_in(ada)
    await visitor.page.locator("[data-passkey=offer]").wait_for()
    assert len(await add_passkey(visitor, "Laptop")) == 10
    [passkey] = await device.passkeys()
    assert passkey["isResidentCredential"]
    assert passkey["rpId"] == "localhost"
    assert passkey["userName"] == ada.email
    await visitor.open("/account/security")
    assert "Laptop" in await visitor.text()
    await sign_out(visitor)
    await visitor.open("/sign-in?return_to=/account/security")
    await visitor.press("Sign in with a passkey")
    assert visitor.path == "/account/security"
    # It stands for both factors: nothing else is asked for.
    await visitor.follow("Remove Laptop")
    await visitor.press("Remove")
    assert "removed" in await visitor.notice()


async def test_the_browser_offers_a_passkey_in_the_field_of_the_address(
    visitor: Visitor, device: Authenticator, ada: Account
) -> None:
    await visitor.sign_in(ada)
    await add_passkey(visitor, "Laptop")
    await visitor.open("/sign-out")
    # The virtual device answers what is offered at once, as a person who chooses it.
    await visitor.page.locator("main button").click()
    await visitor.page.wait_for_url("**/account")
    assert ada.email in await visitor.text()


# A person who takes their time: a virtual device never waits.
UNDECIDED = """navigator.credentials.get = ({signal}) => new Promise((_, refuse) => {
    document.documentElement.dataset.asked = "yes";
    signal.addEventListener("abort", () => refuse(signal.reason)) })"""


async def test_what_the_browser_offers_is_renewed_before_it_expires(visitor: Visitor) -> None:
    await visitor.context.add_init_script(UNDECIDED)
    await visitor.page.clock.install()
    await visitor.open("/sign-in")
    await visitor.page.locator("html[data-asked]").wait_for(state="attached")
    async with visitor.page.expect_response("**/api/v1/auth/passkey/begin"):
        await visitor.page.clock.fast_forward(275_000)


@pytest.mark.usefixtures("no_offers")
async def test_a_passkey_answers_for_the_second_factor_and_in_a_step_up(
    visitor: Visitor, device: Authenticator, ada: Account, stack: Stack
) -> None:
    await visitor.sign_in(ada)
    await add_passkey(visitor, "Laptop")
    await sign_out(visitor)
    await visitor.fill(email=ada.email, password=ada.password)
    await visitor.press("Sign in")
    assert visitor.path == "/sign-in/verify"
    await visitor.press("Use a passkey")
    assert visitor.path == "/account"
    assert await visitor.page.locator("[data-passkey=offer]").count() == 0
    make_stale(stack, ada)
    await visitor.open("/account/email")
    await visitor.fill(new_email="countess@example.com", current_password=ada.password)
    await visitor.press("Send the link")
    assert visitor.path == "/step-up"
    await visitor.press("Use a passkey")
    assert visitor.path == "/account/email"
    assert await visitor.page.locator("#new_email").input_value() == "countess@example.com"


@pytest.mark.usefixtures("no_offers")
async def test_a_passkey_that_nobody_unlocks_signs_nobody_in(
    visitor: Visitor, device: Authenticator, ada: Account
) -> None:
    await visitor.sign_in(ada)
    await add_passkey(visitor, "Laptop")
    await sign_out(visitor)
    await device.lock()
    await visitor.page.get_by_role("button", name="Sign in with a passkey").click()
    problem = visitor.page.locator("[data-failed]")
    await problem.filter(has_text="was not used").wait_for()
    assert visitor.path == "/sign-in"


@pytest.mark.usefixtures("no_offers")
async def test_several_passkeys_have_names_and_one_device_keeps_one(
    visitor: Visitor, device: Authenticator, ada: Account
) -> None:
    await visitor.sign_in(ada)
    await add_app(visitor)
    assert await add_passkey(visitor, "Laptop") == []
    assert "factor is added" in await visitor.notice()
    await visitor.follow("Add a passkey")
    await visitor.page.get_by_role("button", name="Create a passkey").click()
    problem = visitor.page.locator("[data-failed]")
    await problem.filter(has_text="already").wait_for()
    assert len(await device.passkeys()) == 1
    await device.unplug()
    second = await Authenticator.plug_in(visitor)
    await add_passkey(visitor, "Key of the office")
    assert len(await second.passkeys()) == 1
    text = await visitor.text()
    assert "Laptop" in text
    assert "Key of the office" in text


@pytest.mark.usefixtures("no_offers")
async def test_a_passkey_that_no_account_has_is_said_and_reported(
    visitor: Visitor, device: Authenticator, ada: Account, stack: Stack
) -> None:
    await visitor.sign_in(ada)
    await add_passkey(visitor, "Laptop")
    [passkey] = await device.passkeys()
    await sign_out(visitor)
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM factors WHERE user_id = %s", [ada.client.user["id"]])
    await visitor.context.add_init_script(
        """PublicKeyCredential.signalUnknownCredential = async (report) => {
            document.documentElement.dataset.reported = JSON.stringify(report) }"""
    )
    await visitor.open("/sign-in")
    await visitor.page.get_by_role("button", name="Sign in with a passkey").click()
    await visitor.page.locator("html[data-reported]").wait_for(state="attached")
    assert "No account has this passkey" in await visitor.alert()
    reported = json.loads(await visitor.page.locator("html").get_attribute("data-reported") or "")
    wanted = passkey["credentialId"].replace("+", "-").replace("/", "_").rstrip("=")
    assert reported == {"rpId": "localhost", "credentialId": wanted}


# As password managers answered in place of the browser: fewer members, another spelling of the id.
SPARSE = """for (const name of ["create", "get"]) {
    const own = navigator.credentials[name].bind(navigator.credentials);
    navigator.credentials[name] = async (options) => {
        const { rawId, type, response } = await own(options);
        const members = ["clientDataJSON", "attestationObject", "authenticatorData", "signature",
            "userHandle"];
        const copied = members.filter((each) => response[each])
            .map((each) => [each, response[each]]);
        return { id: "another spelling==", rawId: new Uint8Array(rawId), type,
            response: Object.fromEntries(copied) };
    };
}"""


@pytest.mark.usefixtures("no_offers", "device")
async def test_a_password_manager_may_leave_out_what_browsers_say(
    visitor: Visitor, ada: Account
) -> None:
    """bitwarden/clients#7141, keycloak/keycloak#10020"""
    await visitor.context.add_init_script(SPARSE)
    await visitor.sign_in(ada)
    assert len(await add_passkey(visitor, "Manager")) == 10
    await sign_out(visitor)
    await visitor.press("Sign in with a passkey")
    assert visitor.path == "/account"


# Somebody who is asked, and counts how often.
COUNTING = """let asked = 0; navigator.credentials.get = () => new Promise(() => {
    document.documentElement.dataset.asked = ++asked })"""


@pytest.mark.usefixtures("no_offers")
async def test_a_button_that_is_pressed_twice_asks_once(visitor: Visitor) -> None:
    """MasterKale/SimpleWebAuthn: "a request is already pending" """
    await visitor.context.add_init_script(COUNTING)
    await visitor.open("/sign-in")
    await visitor.page.get_by_role("button", name="Sign in with a passkey").dblclick()
    await visitor.page.locator("html[data-asked]").wait_for(state="attached")
    await visitor.page.get_by_role("button", name="Sign in with a passkey").click()
    await visitor.page.wait_for_timeout(300)
    assert await visitor.page.locator("html").get_attribute("data-asked") == "1"


@pytest.mark.usefixtures("no_offers")
@pytest.mark.parametrize("status", [429, 503])
async def test_what_keeps_passkeys_from_being_used_is_not_said_to_be_the_persons_doing(
    visitor: Visitor, status: int
) -> None:
    """teamhanko/hanko#1593: the button said nothing, or the wrong thing"""

    await visitor.page.route(
        "**/api/v1/auth/passkey/begin", lambda route: route.fulfill(status=status, body="{}")
    )
    await visitor.open("/sign-in")
    await visitor.page.get_by_role("button", name="Sign in with a passkey").click()
    problem = visitor.page.locator("[data-failed]")
    await problem.filter(has_text="cannot be used here right now").wait_for()
