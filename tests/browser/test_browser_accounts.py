"""From registration to the end of the account, without a script, as a person does it."""

from __future__ import annotations

from tests.browser.chromium import requires_chromium
from tests.browser.conftest import NewVisitor
from tests.browser.visitor import Account, Visitor, mailed_link, new_email
from tests.platform.conftest import PASSWORD
from tests.stack import Stack

pytestmark = requires_chromium
NEW_PASSWORD = "violet lantern orchard tide"


async def test_register_verify_sign_in_and_see_the_account(visitor: Visitor, stack: Stack) -> None:
    email = new_email()
    await visitor.open("/register")
    await visitor.fill(display_name="Grace Hopper", email=email, password=PASSWORD)
    await visitor.page.get_by_label("I accept the terms.").check()
    await visitor.press("Create the account")
    assert await visitor.heading() == "Check your mail"
    link = await mailed_link(stack, email, "/verify-email")
    # A scanner opens it first.
    for _ in range(2):
        assert (await visitor.open(link)).status == 200
    await visitor.press("Verify the address")
    assert "verified" in await visitor.notice()
    await visitor.fill(email=email, password=PASSWORD)
    await visitor.press("Sign in")
    assert visitor.path == "/account"
    assert email in await visitor.text()
    assert await visitor.page.locator("[name=display_name]").input_value() == "Grace Hopper"


async def test_a_forgotten_password_is_replaced_and_ends_every_session(
    visitor: Visitor, new_visitor: NewVisitor, ada: Account, stack: Stack
) -> None:
    other = await new_visitor()
    await other.sign_in(ada)
    await visitor.open("/sign-in")
    await visitor.follow("Forgot your password?")
    await visitor.fill(email=ada.email)
    await visitor.press("Send the link")
    assert await visitor.heading() == "Check your mail"
    link = await mailed_link(stack, ada.email, "/reset-password")
    for _ in range(2):
        await visitor.open(link)
    await visitor.fill(new_password="password1234")
    await visitor.press("Set the password")
    assert "check" in await visitor.alert()
    await visitor.fill(new_password=NEW_PASSWORD)
    await visitor.press("Set the password")
    assert "new password is set" in await visitor.notice()
    await other.open("/account")
    assert other.path == "/sign-in"
    ada.password = NEW_PASSWORD
    await visitor.sign_in(ada)
    assert visitor.path == "/account"
    await visitor.open(link)
    await visitor.fill(new_password="another lantern orchard tide")
    await visitor.press("Set the password")
    assert "no longer good" in await visitor.alert()


async def test_an_account_with_an_unknown_address_is_asked_for_in_the_same_words(
    visitor: Visitor,
) -> None:
    await visitor.open("/forgot-password")
    await visitor.fill(email=new_email())
    await visitor.press("Send the link")
    assert await visitor.heading() == "Check your mail"
    await visitor.open("/resend-verification")
    await visitor.fill(email=new_email())
    await visitor.press("Send the mail")
    assert await visitor.heading() == "Check your mail"


async def test_the_profile_is_saved_and_an_older_window_does_not_overwrite_it(
    visitor: Visitor, ada: Account
) -> None:
    await visitor.sign_in(ada)
    older = await visitor.context.new_page()
    await older.goto("/account")
    await visitor.fill(display_name="Ada, Countess", bio="First line\nsecond <b>line</b>")
    await visitor.press("Save")
    assert await visitor.notice() == "Saved."
    assert await visitor.page.locator("[name=bio]").input_value() == (
        "First line\nsecond <b>line</b>"
    )
    second = Visitor(visitor.stack, visitor.context, older)
    await second.fill(display_name="Ada Byron")
    await second.press("Save")
    assert "changed in another window" in await second.alert()
    assert await older.locator("[name=display_name]").input_value() == "Ada Byron"
    await second.press("Save")
    assert await second.notice() == "Saved."


async def test_language_and_theme_are_the_persons(visitor: Visitor, ada: Account) -> None:
    await visitor.sign_in(ada)
    await visitor.page.locator("[name=language]").select_option("de")
    await visitor.page.locator("[name=theme]").select_option("dark")
    await visitor.press("Save")
    assert await visitor.heading() == "Profil"
    root = visitor.page.locator("html")
    assert await root.get_attribute("lang") == "de"
    assert await root.get_attribute("data-theme") == "dark"


async def test_an_address_is_changed_and_taken_back(
    visitor: Visitor, ada: Account, stack: Stack
) -> None:
    changed = new_email("ada.new")
    await visitor.sign_in(ada)
    await visitor.open("/account/email")
    await visitor.fill(new_email=changed, current_password="wrong")
    await visitor.press("Send the link")
    assert "current password is wrong" in await visitor.alert()
    await visitor.fill(new_email=changed, current_password=PASSWORD)
    await visitor.press("Send the link")
    assert "sent a link" in await visitor.notice()
    link = await mailed_link(stack, changed, "/confirm-email-change")
    for _ in range(2):
        await visitor.open(link)
    await visitor.press("Use this address")
    assert "confirmed" in await visitor.notice()
    assert changed in await visitor.text()
    back = await mailed_link(stack, ada.email, "/revert-email-change")
    for _ in range(2):
        await visitor.open(back)
    await visitor.press("Take the change back")
    assert "former address" in await visitor.notice()
    await visitor.open("/account")
    assert visitor.path == "/sign-in"


async def test_a_new_password_ends_the_other_sessions_and_no_other(
    visitor: Visitor, new_visitor: NewVisitor, ada: Account
) -> None:
    other = await new_visitor()
    await other.sign_in(ada)
    await visitor.sign_in(ada)
    await visitor.open("/account/password")
    await visitor.fill(current_password=PASSWORD, new_password=NEW_PASSWORD)
    await visitor.press("Change the password")
    assert "other sessions have ended" in await visitor.notice()
    await other.open("/account")
    assert other.path == "/sign-in"
    assert "session has ended" in await other.notice()


async def test_an_account_is_deleted_unless_it_owns_something(
    visitor: Visitor, ada: Account
) -> None:
    await visitor.sign_in(ada)
    await visitor.open("/account/organizations")
    await visitor.fill(name="Analytical Engines")
    await visitor.press("Create")
    await visitor.open("/account/delete")
    await visitor.fill(current_password=PASSWORD)
    await visitor.press("Delete my account")
    assert "only owner" in await visitor.alert()
    assert await visitor.page.get_by_role("link", name="To your organizations").count() == 1


async def test_an_account_is_deleted(visitor: Visitor, ada: Account) -> None:
    await visitor.sign_in(ada)
    await visitor.open("/account/delete")
    await visitor.fill(current_password=PASSWORD)
    await visitor.press("Delete my account")
    assert "deleted" in await visitor.notice()
    await visitor.sign_in(ada)
    assert "wrong" in await visitor.alert()
