"""Who is signed in where, who is invited, and what no other site can do."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.browser.chromium import requires_chromium
from tests.browser.conftest import NewVisitor
from tests.browser.visitor import Account, Visitor, mailed_link, new_email
from tests.platform.conftest import PASSWORD
from tests.stack import Stack

pytestmark = requires_chromium


async def invite(stack: Stack, owner: Account, email: str) -> str:
    """Founds an organization, invites somebody, and gives the link of the mail."""
    founded = await owner.call(
        stack, "POST", "/organizations", {"name": "Analytical Engines"}, expect=201
    )
    switch = {"organizationId": founded["id"]}
    switched = await owner.call(stack, "POST", "/auth/switch-organization", switch, expect=200)
    owner.client.token = switched["accessToken"]
    path = f"/organizations/{founded['id']}/invitations"
    await owner.call(stack, "POST", path, {"email": email, "role": "member"}, expect=201)
    return await mailed_link(stack, email, "/invitations/accept")


async def test_another_device_is_signed_out_at_its_next_request(
    visitor: Visitor, new_visitor: NewVisitor, ada: Account
) -> None:
    phone = await new_visitor(user_agent="Mozilla/5.0 (iPhone) FxiOS/150.0")
    await phone.sign_in(ada)
    await visitor.sign_in(ada)
    await visitor.open("/account/sessions")
    assert "This device" in await visitor.text()
    await visitor.press("End the session of Firefox on iPhone")
    assert "has ended" in await visitor.notice()
    await phone.page.reload()
    assert phone.path == "/sign-in"
    assert "session has ended" in await phone.notice()
    await visitor.open("/account")
    assert visitor.path == "/account"


async def test_signing_out_everywhere_holds_at_the_next_request(
    visitor: Visitor, new_visitor: NewVisitor, ada: Account
) -> None:
    other = await new_visitor()
    await other.sign_in(ada)
    await visitor.sign_in(ada)
    await visitor.open("/account/sessions")
    await visitor.press("Sign out everywhere")
    assert "signed out everywhere" in await visitor.notice()
    for each in (visitor, other):
        await each.open("/account")
        assert each.path == "/sign-in"


async def test_back_after_signing_out_shows_nothing_of_the_account(
    visitor: Visitor, ada: Account
) -> None:
    await visitor.sign_in(ada)
    await visitor.press("Sign out")
    await visitor.page.go_back()
    assert visitor.path == "/sign-in"
    assert ada.email not in await visitor.text()


async def test_whoever_is_invited_registers_comes_back_and_joins(
    visitor: Visitor, ada: Account, stack: Stack
) -> None:
    email = new_email("grace")
    link = await invite(stack, ada, email)
    for _ in range(2):
        await visitor.open(link)
    assert await visitor.heading() == "Join Analytical Engines"
    assert "Ada Lovelace invites you" in await visitor.text()
    await visitor.follow("Create the account")
    await visitor.fill(display_name="Grace", email=email, password=PASSWORD)
    await visitor.page.get_by_label("I accept the terms.").check()
    await visitor.press("Create the account")
    await visitor.open(await mailed_link(stack, email, "/verify-email"))
    await visitor.press("Verify the address")
    await visitor.fill(email=email, password=PASSWORD)
    await visitor.press("Sign in")
    assert visitor.path == "/invitations/accept"
    await visitor.press("Join")
    assert "member now" in await visitor.notice()
    assert "You are: Member" in await visitor.text()
    await visitor.press("Make Analytical Engines active")
    assert "Active" in await visitor.text()
    await visitor.open(link)
    assert await visitor.heading() == "This invitation was accepted"


async def test_somebody_else_is_told_so_and_can_change_over(
    visitor: Visitor, ada: Account, stack: Stack
) -> None:
    guest = await Account.make(stack, name="Guest")
    link = await invite(stack, ada, guest.email)
    await visitor.sign_in(ada)
    await visitor.open(link)
    assert f"signed in as {ada.email}" in await visitor.text()
    await visitor.press("Sign out and use the other address")
    await visitor.sign_in(guest)
    assert visitor.path == "/invitations/accept"
    await visitor.press("Decline")
    assert await visitor.heading() == "This invitation was declined"


async def test_joining_twice_from_two_windows_is_joining_once(
    visitor: Visitor, ada: Account, stack: Stack
) -> None:
    guest = await Account.make(stack, name="ضيف")
    link = await invite(stack, ada, guest.email)
    await visitor.sign_in(guest)
    second = Visitor(stack, visitor.context, await visitor.context.new_page())
    for window in (visitor, second):
        await window.open(link)
    await visitor.press("Join")
    assert "member now" in await visitor.notice()
    await second.press("Join")
    assert await second.heading() == "This invitation was accepted"
    assert await second.alert() == ""


async def test_addresses_and_forms_that_nobody_made_do_no_harm(
    visitor: Visitor, ada: Account
) -> None:
    await visitor.sign_in(ada)
    for path in ("/account/sessions", "/account/organizations"):
        assert (await visitor.open(f"{path}?cursor=made-up")).status == 200
        assert visitor.page.url.endswith(path)
    await visitor.open("/account/organizations/leave?organization_id=made-up")
    assert visitor.path == "/account/organizations"
    await visitor.open("/account")
    for etag in ("made\nup", "ü", "x" * 1000, '"7-abc"'):
        field = visitor.page.locator("[name=etag]")
        await field.evaluate("(e, etag) => e.value = etag", etag)
        await visitor.press("Save")
        assert "changed in another window" in await visitor.alert()


async def test_the_last_owner_cannot_leave(visitor: Visitor, ada: Account) -> None:
    await visitor.sign_in(ada)
    await visitor.open("/account/organizations")
    assert "not a member" in await visitor.text()
    await visitor.fill(name="مؤسسة")
    await visitor.press("Create")
    await visitor.follow("Leave مؤسسة")
    await visitor.press("Leave")
    assert "only owner" in await visitor.alert()


async def test_an_unregistered_place_is_nowhere_to_return_to(
    visitor: Visitor, ada: Account
) -> None:
    for place in ("https://evil.example/", "//evil.example", "/account/../%2F%2Fevil.example"):
        await visitor.open(f"/sign-in?return_to={quote(place, safe='')}")
        assert "evil.example" not in await visitor.page.content()
    await visitor.open("/sign-in?return_to=/account/sessions")
    await visitor.sign_in(ada)
    assert visitor.path == "/account/sessions"


async def test_a_registered_place_is_reached_after_signing_in(
    visitor: Visitor, ada: Account
) -> None:
    place = "https://app.example.com/welcome"
    await visitor.page.route(f"{place}*", lambda route: route.fulfill(body="<h1>Welcome</h1>"))
    await visitor.open(f"/sign-in?return_to={quote(place + '?tab=1', safe='')}")
    await visitor.sign_in(ada)
    await visitor.page.wait_for_url(f"{place}?tab=1")
    # And at once for whoever is signed in.
    await visitor.page.goto(f"{visitor.stack.base_url}/sign-in?return_to={place}")
    await visitor.page.wait_for_url(place)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        # Comes without the cookie, as nobody's.
        ("http://evil.example", 303),
        # Another port is the same site: the cookie comes along, the form's token does not.
        ("http://127.0.0.1:9", 403),
    ],
)
async def test_a_form_of_another_origin_does_nothing(
    new_visitor: NewVisitor, ada: Account, stack: Stack, origin: str, status: int
) -> None:
    visitor = await new_visitor(scripts=True)
    await visitor.sign_in(ada)
    target = f"{stack.base_url}/account/sessions"
    form = (
        f'<form method="post" action="{target}"><input name="end" value="all"></form>'
        "<script>document.forms[0].submit()</script>"
    )
    await visitor.page.route(
        f"{origin}/**", lambda route: route.fulfill(body=form, content_type="text/html")
    )
    async with visitor.page.expect_response(target) as sent:
        await visitor.page.goto(f"{origin}/", wait_until="commit")
    assert (await sent.value).status == status
    await visitor.page.wait_for_load_state()
    await visitor.open("/account")
    assert visitor.path == "/account"


async def test_the_cookie_is_for_this_host_alone_and_no_script_sees_it(
    visitor: Visitor, ada: Account
) -> None:
    await visitor.sign_in(ada)
    cookies: dict[str, Any] = {each["name"]: each for each in await visitor.context.cookies()}
    session = cookies["__Host-session"]
    assert session["httpOnly"]
    assert session["secure"]
    assert (session["sameSite"], session["path"]) == ("Lax", "/")
    assert session["domain"] == "127.0.0.1"


async def test_two_windows_of_a_browser_share_one_session_and_neither_loses_it(
    visitor: Visitor, ada: Account
) -> None:
    first, second = visitor.page, await visitor.context.new_page()
    await first.goto("/sign-in?return_to=/account/email")
    await second.goto("/sign-in?return_to=/account/sessions")
    for page, path in ((first, "/account/email"), (second, "/account/sessions")):
        window = Visitor(visitor.stack, visitor.context, page)
        await window.fill(email=ada.email, password=ada.password)
        await window.press("Sign in")
        assert window.path == path
    await first.reload()
    assert first.url.endswith("/account/email")
