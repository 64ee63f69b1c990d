"""Forms from elsewhere do nothing; one of ours that has become too old loses nothing."""

from __future__ import annotations

import asyncio
import re

import pytest

from edge.web import cookies
from edge.web.forms import MAX_BYTES
from tests.core.world import Person, World
from tests.web.browser import Browser
from tests.web.conftest import NewBrowser, sign_in


def fields(person: Person, token: str) -> dict[str, str]:
    return {"form_token": token, "email": person.email, "password": person.password}


@pytest.mark.parametrize("token", ["", "nonsense", "A" * 64])
async def test_a_form_without_its_token_is_shown_again_with_what_was_typed(
    browser: Browser, person: Person, token: str
) -> None:
    await browser.get("/sign-in")
    answer = await browser.post("/sign-in", fields(person, token))
    assert answer.status == 403
    assert answer.alert.startswith("This form could not be accepted")
    assert answer.form("/sign-in").fields["email"] == person.email
    assert person.password not in answer.text
    again = await browser.submit(answer, "/sign-in", password=person.password)
    assert again.location == "/account"


async def test_the_token_of_another_browser_is_worth_nothing(
    browser: Browser, new_browser: NewBrowser, person: Person
) -> None:
    page = await new_browser().get("/sign-in")
    await browser.get("/sign-in")
    token = page.form("/sign-in").fields["form_token"]
    assert (await browser.post("/sign-in", fields(person, token))).status == 403
    browser.cookies.clear()
    assert (await browser.post("/sign-in", fields(person, token))).status == 403


async def test_a_form_that_another_site_sends_is_not_filled_in_by_it(
    browser: Browser, person: Person
) -> None:
    page = await browser.get("/sign-in")
    token = page.form("/sign-in").fields["form_token"]
    answer = await browser.post("/sign-in", fields(person, token), {"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403
    assert person.email not in answer.text


async def test_nobody_is_signed_out_by_a_form_from_elsewhere(
    browser: Browser, person: Person
) -> None:
    await sign_in(browser, person)
    assert (await browser.post("/sign-out", {})).status == 403
    assert (await browser.get("/account")).status == 200


async def test_a_form_sent_twice_does_no_harm(browser: Browser, person: Person) -> None:
    page = await browser.get("/sign-in")
    form_cookie = browser.cookies[cookies.FORM]
    for _ in range(2):
        browser.cookies[cookies.FORM] = form_cookie
        answer = await browser.submit(
            page, "/sign-in", email=person.email, password=person.password
        )
        assert answer.location == "/account"
    assert (await browser.get("/account")).status == 200


async def test_a_form_that_is_too_large_is_refused(browser: Browser, person: Person) -> None:
    page = await browser.get("/sign-in")
    answer = await browser.submit(page, "/sign-in", email="a" * MAX_BYTES, password="x")
    assert (answer.status, answer.heading) == (413, "Too much")


@pytest.mark.parametrize(
    "kind", ["application/json", "multipart/form-data; boundary=x", "text/plain"]
)
async def test_what_is_no_form_is_refused(browser: Browser, kind: str) -> None:
    answer = await browser.send("POST", "/sign-in", b"{}", {"Content-Type": kind})
    assert answer.status == 415


async def test_too_many_fields_are_refused(browser: Browser) -> None:
    answer = await browser.post("/sign-in", {f"a{number}": "b" for number in range(200)})
    assert answer.status == 400


async def test_what_strangers_write_is_shown_as_text(browser: Browser) -> None:
    page = await browser.get("/sign-in?email=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>" not in page.text
    assert page.form("/sign-in").fields["email"] == '"><script>alert(1)</script>'


@pytest.mark.parametrize("path", ["/register", "/verify-email?token=x", "/verify-email", "/nope"])
async def test_a_page_needs_no_script_no_inline_style_and_nothing_from_elsewhere(
    browser: Browser, path: str
) -> None:
    page = await browser.get(path)
    assert not re.search(r"<script|\sstyle=|<style|\son\w+=|https?://", page.text)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"


async def test_where_passkeys_are_used_there_is_one_script_of_our_own(browser: Browser) -> None:
    page = await browser.get("/sign-in")
    [path] = re.findall(
        r'<script src="(/assets/passkeys-[0-9a-f]{16}\.js)" defer></script>', page.text
    )
    rest = page.text.replace(path, "").replace('<script src="" defer></script>', "")
    assert not re.search(r"<script|\sstyle=|<style|\son\w+=|https?://", rest)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert policy.endswith("; script-src 'self'; connect-src 'self'")
    assert "unsafe" not in policy
    script = await browser.get(path)
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert "eval(" not in script.text
    assert "innerHTML" not in script.text


async def test_assets_are_kept_for_good_under_names_of_their_content(browser: Browser) -> None:
    page = await browser.get("/sign-in")
    path = re.findall(r'href="(/assets/style-[0-9a-f]{16}\.css)"', page.text)[0]
    style = await browser.get(path)
    assert style.status == 200
    assert "immutable" in style.headers["Cache-Control"]
    assert len(style.body) < 10_000
    assert (await browser.get("/assets/style-0000000000000000.css")).status == 404
    assert (await browser.get("/assets/..%2fapp.py")).status == 404


async def test_a_second_tab_in_which_nobody_is_signed_in_yet_leads_on(
    browser: Browser, person: Person
) -> None:
    first, second = await browser.get("/sign-in"), await browser.get("/sign-in")
    await browser.submit(first, "/sign-in", email=person.email, password=person.password)
    held = browser.cookies[cookies.SESSION]
    answer = await browser.submit(second, "/sign-in", email=person.email, password=person.password)
    assert answer.location == "/account"
    assert browser.cookies[cookies.SESSION] == held


async def test_a_button_from_a_session_before_signs_out_nobody_else(
    browser: Browser, person: Person, world: World
) -> None:
    await sign_in(browser, person)
    old_page = await browser.get("/sign-out")
    await browser.submit(old_page, "/sign-out")
    await sign_in(browser, await world.new_person())
    answer = await browser.submit(old_page, "/sign-out")
    assert (answer.status, answer.heading) == (403, "Sign out")
    assert (await browser.get("/account")).status == 200


async def test_twenty_tabs_at_once_are_all_served(browser: Browser, person: Person) -> None:
    await sign_in(browser, person)
    pages = await asyncio.gather(*(browser.get("/account") for _ in range(20)))
    assert {page.status for page in pages} == {200}


@pytest.mark.parametrize("agent", ["é" * 10, "a" * 5000, "日本"])
async def test_a_browser_may_call_itself_anything(
    new_browser: NewBrowser, person: Person, agent: str
) -> None:
    browser = new_browser(**{"User-Agent": agent})
    assert (await sign_in(browser, person)).location == "/account"
