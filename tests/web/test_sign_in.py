"""Signing in: a cookie that says nothing stands for the session, and holds as long as that does."""

from __future__ import annotations

import re
from datetime import timedelta

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.users.v1 import user_service_pb2 as users

from edge.web import cookies
from tests.core.world import PASSWORD, Person, World
from tests.web.browser import AGENT, Browser
from tests.web.conftest import APP, NewBrowser, sign_in


async def test_whoever_signs_in_sees_the_account(browser: Browser, person: Person) -> None:
    answer = await sign_in(browser, person)
    assert answer.location == "/account"
    page = await browser.follow(answer)
    assert page.status == 200
    assert person.email in page.text
    assert page.heading == "Profile"


async def test_what_the_browser_keeps_is_opaque(browser: Browser, person: Person) -> None:
    await sign_in(browser, person)
    assert set(browser.cookies) == {cookies.SESSION, cookies.DEVICE}
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", browser.cookies[cookies.SESSION])


async def test_no_page_holds_a_token(browser: Browser, person: Person) -> None:
    answer = await sign_in(browser, person)
    page = await browser.follow(answer)
    for shown in (answer, page):
        assert "eyJ" not in shown.text + str(shown.headers)


async def test_each_sign_in_has_a_cookie_of_its_own_and_ends_the_session_before(
    browser: Browser, new_browser: NewBrowser, person: Person, world: World
) -> None:
    await sign_in(browser, person)
    first = browser.cookies[cookies.SESSION]
    page = await new_browser().get("/sign-in")
    # The same form sent twice: the second has the cookie of the first answer.
    form_cookie = page.headers.getall("Set-Cookie")[0].split("=", 1)[1].split(";")[0]
    browser.cookies[cookies.FORM] = form_cookie
    answer = await browser.submit(page, "/sign-in", email=person.email, password=person.password)
    assert answer.location == "/account"
    assert browser.cookies[cookies.SESSION] != first
    thief = new_browser()
    thief.cookies[cookies.SESSION] = first
    assert (await thief.get("/account")).location.startswith("/sign-in")


async def test_a_cookie_that_somebody_else_chose_becomes_nobodys_session(
    browser: Browser, person: Person
) -> None:
    planted = "A" * 43
    browser.cookies[cookies.SESSION] = planted
    page = await browser.get("/sign-in")
    assert page.status == 200
    await browser.submit(page, "/sign-in", email=person.email, password=person.password)
    assert browser.cookies[cookies.SESSION] != planted


async def test_a_wrong_password_is_said_and_the_address_kept(
    browser: Browser, person: Person
) -> None:
    page = await browser.get("/sign-in")
    answer = await browser.submit(page, "/sign-in", email=person.email, password="something else")
    assert answer.status == 422
    assert answer.alert == "The email address or the password is wrong."
    assert answer.title.startswith("Error: ")
    assert answer.form("/sign-in").fields["email"] == person.email
    assert "something else" not in answer.text
    assert cookies.SESSION not in browser.cookies


async def test_what_is_left_empty_is_named_at_its_field(browser: Browser) -> None:
    page = await browser.get("/sign-in")
    answer = await browser.submit(page, "/sign-in", email="", password="")
    assert answer.status == 422
    assert answer.reader.attributes["#email"]["aria-describedby"] == "email-error"
    assert "#email" in answer.reader.links
    assert answer.words("error") == "Please fill this in. Please fill this in."


async def test_an_address_that_is_not_verified_is_explained(browser: Browser, world: World) -> None:
    email = "unverified@example.com"
    await world.auth.Register(
        auth.RegisterRequest(
            email=email, password=PASSWORD, display_name="Ada", accepted_terms=True
        )
    )
    page = await browser.get("/sign-in")
    answer = await browser.submit(page, "/sign-in", email=email, password=PASSWORD)
    assert answer.status == 403
    assert "not verified yet" in answer.alert


async def test_the_session_shows_the_browser_and_its_address(
    browser: Browser, person: Person, world: World
) -> None:
    await sign_in(browser, person)
    answer = await world.auth.ListSessions(auth.ListSessionsRequest(), metadata=person.metadata)
    newest = answer.sessions[0]
    assert newest.user_agent == AGENT
    assert newest.ip_address == browser.address


async def test_signing_out_ends_the_session_and_takes_the_cookie(
    browser: Browser, person: Person, world: World
) -> None:
    await sign_in(browser, person)
    held = browser.cookies[cookies.SESSION]
    page = await browser.get("/sign-out")
    assert page.status == 200
    assert (await browser.get("/account")).status == 200  # the page alone signs nobody out
    answer = await browser.submit(page, "/sign-out")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert cookies.SESSION not in browser.cookies
    assert (await browser.follow(answer)).notice == "You are signed out."
    browser.cookies[cookies.SESSION] = held
    assert (await browser.get("/account")).location.startswith("/sign-in")


async def test_sign_out_everywhere_works_at_the_next_request(
    browser: Browser, person: Person, world: World
) -> None:
    await sign_in(browser, person)
    assert (await browser.get("/account")).status == 200
    sessions = await world.auth.ListSessions(auth.ListSessionsRequest(), metadata=person.metadata)
    request = auth.RevokeSessionRequest(session_id=sessions.sessions[0].id)
    await world.auth.RevokeSession(request, metadata=person.metadata)
    answer = await browser.get("/account")
    assert answer.location == "/sign-in?return_to=%2Faccount&notice=session-ended"
    assert cookies.SESSION not in browser.cookies
    page = await browser.follow(answer)
    assert page.notice == "Your session has ended. Please sign in again."
    again = await browser.submit(page, "/sign-in", email=person.email, password=person.password)
    assert again.location == "/account"


async def test_an_access_token_that_has_expired_meanwhile_is_replaced(
    browser: Browser, person: Person, world: World
) -> None:
    await sign_in(browser, person)
    assert (await browser.get("/account")).status == 200
    with world.clock.later(timedelta(hours=1)):
        assert (await browser.get("/account")).status == 200


async def test_using_the_pages_keeps_the_session_and_staying_away_ends_it(
    browser: Browser, person: Person, world: World
) -> None:
    await sign_in(browser, person)
    for day in (6, 12, 18):
        with world.clock.later(timedelta(days=day)):
            assert (await browser.get("/account")).status == 200
    with world.clock.later(timedelta(days=26)):
        assert (await browser.get("/account")).location.startswith("/sign-in")


async def test_whoever_is_signed_in_is_not_asked_again(browser: Browser, person: Person) -> None:
    await sign_in(browser, person)
    assert (await browser.get("/sign-in")).location == "/account"


async def test_a_person_is_brought_back_to_where_they_wanted(
    browser: Browser, person: Person
) -> None:
    answer = await browser.get("/account?page=2")
    assert answer.location == "/sign-in?return_to=%2Faccount%3Fpage%3D2"
    done = await sign_in(browser, person, answer.location)
    assert done.location == "/account?page=2"


async def test_another_registered_place_is_reached_from_a_page(
    browser: Browser, person: Person
) -> None:
    place = f"{APP}/welcome?from=portico"
    done = await sign_in(browser, person, f"/sign-in?return_to={place}")
    page = await browser.follow(done)
    assert page.status == 200
    assert page.reader.attributes["meta"] is not None
    assert f'content="0; url={place}"' in page.text
    assert place in page.reader.links


@pytest.mark.parametrize(
    "place", ["https://evil.example/", "//evil.example", "javascript:alert(1)"]
)
async def test_a_place_that_is_not_registered_is_passed_over(
    browser: Browser, person: Person, place: str
) -> None:
    page = await browser.get(f"/sign-in?return_to={place}")
    assert "evil" not in page.text
    done = await browser.submit(
        page, "/sign-in", email=person.email, password=person.password, return_to=place
    )
    assert done.location == "/account"


async def test_a_browser_token_opens_nothing_in_the_api(
    browser: Browser, person: Person, world: World
) -> None:
    await sign_in(browser, person)
    metadata = (("authorization", f"Bearer {browser.cookies[cookies.SESSION]}"),)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.users.GetMe(users.GetMeRequest(), metadata=metadata)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
