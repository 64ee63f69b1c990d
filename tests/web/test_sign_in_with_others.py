"""Signing in with others on the pages: begun, brought back, refused, linked and unlinked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from portico.connections.v1 import platform_connection_service_pb2 as platform
from portico.connections.v1.platform_connection_service_pb2_grpc import (
    PlatformConnectionServiceStub,
)

from edge.web import cookies
from tests.core.connections.front_end import Somebody, new_connection, new_platform_connection
from tests.core.connections.provider import Provider, running_provider
from tests.core.domains.organization_domains import new_name, prove
from tests.core.factors.conftest import enroll_app
from tests.core.users.conftest import appoint
from tests.core.world import Person, World
from tests.web.browser import Browser, PageAnswer
from tests.web.conftest import APP, NewBrowser, sign_in

WITH = "/sign-in/with"
CALLBACK = "/sign-in/callback"
SINGLE_SIGN_ON = "/sign-in/single-sign-on"
IDENTITIES = "/account/identities"
UNLINK = "/account/identities/unlink"
REFRESH = re.compile(r'<meta http-equiv="refresh" content="0; url=([^"]+)">')
# As no connection of another test is called.
NAME = "Analytical ID"
GONE = "0199a4c2-0000-7000-8000-000000000000"


@pytest.fixture
async def administrator(world: World) -> Person:
    """An administrator of the platform."""
    person = await world.new_person()
    await appoint(world, person)
    return person


@pytest.fixture
def grace() -> Somebody:
    """Who signs in at the provider."""
    return Somebody()


@pytest.fixture
async def provider(grace: Somebody) -> AsyncIterator[Provider]:
    """A provider that behaves, until a test changes it."""
    async with running_provider(person=grace.claims()) as provider:
        yield provider


@pytest.fixture
async def connection_id(
    world: World, administrator: Person, provider: Provider
) -> AsyncIterator[str]:
    """A connection of the platform with it; it goes afterwards, since there can be 20."""
    made = await new_platform_connection(world, administrator, provider.issuer, name=NAME)
    yield made
    await PlatformConnectionServiceStub(world.channel).DeletePlatformConnection(
        platform.DeletePlatformConnectionRequest(connection_id=made),
        metadata=administrator.metadata,
    )


def leads_to(page: PageAnswer) -> str:
    """Where a page sends the browser to, to a provider."""
    assert page.status == 200, page.text
    found = REFRESH.search(page.text)
    assert found
    return unescape(found[1])


async def begun(browser: Browser, connection_id: str, path: str = "/sign-in") -> str:
    """Presses the button of a connection, and gives where that leads."""
    page = await browser.get(path)
    return leads_to(await browser.submit(page, WITH, connection_id=connection_id))


async def brought(browser: Browser, query: dict[str, str]) -> PageAnswer:
    """Comes back from the provider."""
    return await browser.get(f"{CALLBACK}?{urlencode(query)}")


async def signed_in(
    browser: Browser, provider: Provider, connection_id: str, path: str = "/sign-in"
) -> PageAnswer:
    """A whole sign-in."""
    return await brought(browser, provider.authorize(await begun(browser, connection_id, path)))


@pytest.mark.parametrize("path", ["/sign-in", "/register"])
async def test_a_person_signs_in_for_the_first_time_and_again(
    browser: Browser,
    new_browser: NewBrowser,
    provider: Provider,
    connection_id: str,
    grace: Somebody,
    path: str,
) -> None:
    assert f"Continue with {NAME}" in (await browser.get(path)).text
    answer = await signed_in(browser, provider, connection_id, path)
    assert answer.location == "/account"
    assert {cookies.SESSION, cookies.DEVICE} <= set(browser.cookies)
    account = await browser.get("/account")
    assert grace.email in account.text
    other = new_browser()
    assert (await signed_in(other, provider, connection_id)).location == "/account"
    assert grace.email in (await other.get("/account")).text


async def test_the_provider_is_reached_from_a_page_and_no_address_has_a_secret(
    browser: Browser, provider: Provider, connection_id: str
) -> None:
    page = await browser.get("/sign-in")
    answer = await browser.submit(page, WITH, connection_id=connection_id)
    url = leads_to(answer)
    assert url.startswith(f"{provider.base}/authorize?")
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert browser.cookies[cookies.FEDERATED] not in answer.text


@pytest.mark.parametrize("place", ["/account/sessions", f"{APP}/welcome?a=b"])
async def test_a_person_is_brought_to_where_they_wanted(
    browser: Browser, provider: Provider, connection_id: str, place: str
) -> None:
    path = f"/sign-in?{urlencode({'return_to': place})}"
    answer = await signed_in(browser, provider, connection_id, path)
    if place.startswith("/"):
        assert answer.location == place
    else:
        assert place.replace("&", "&amp;") in (await browser.follow(answer)).text


async def test_each_tab_comes_back_to_its_own_place(
    browser: Browser, provider: Provider, connection_id: str
) -> None:
    first = await begun(browser, connection_id, "/sign-in?return_to=/account/sessions")
    second = await begun(browser, connection_id, "/sign-in?return_to=/account/email")
    third = await begun(browser, connection_id, "/sign-in?return_to=https://evil.example/")
    for url, place in (
        (first, "/account/sessions"),
        (second, "/account/email"),
        (third, "/account"),
    ):
        assert (await brought(browser, provider.authorize(url))).location == place


async def test_a_second_factor_is_asked_for_as_after_a_password(
    world: World, browser: Browser, provider: Provider, connection_id: str, grace: Somebody
) -> None:
    protected = await enroll_app(world, await world.new_person(grace.email))
    answer = await signed_in(browser, provider, connection_id, "/sign-in?return_to=/account/email")
    assert answer.location.startswith("/sign-in/verify")
    assert cookies.SESSION not in browser.cookies
    page = await browser.follow(answer)
    done = await browser.submit(page, "/sign-in/verify", code=protected.next_code())
    assert done.location == "/account/email"


async def test_what_is_not_of_this_browser_or_comes_twice_signs_nobody_in(
    browser: Browser, new_browser: NewBrowser, provider: Provider, connection_id: str
) -> None:
    mine = provider.authorize(await begun(browser, connection_id))
    stranger = new_browser()
    for query in (mine, {}, {"state": "x" * 3000}, {"state": "a\0b"}, {"code": "x"}):
        refused = await brought(stranger, query)
        assert refused.status == 422
        assert "Please begin again" in refused.alert
        assert cookies.SESSION not in stranger.cookies
        assert "/sign-in" in refused.reader.links
    assert (await brought(browser, mine)).status == 303
    # Whoever goes back, or reloads, is signed in all the same, and can go on.
    again = await brought(browser, mine)
    assert again.status == 422
    assert IDENTITIES in again.reader.links
    assert (await browser.get("/account")).status == 200


async def test_asking_for_the_headers_alone_uses_nothing_up(
    browser: Browser, provider: Provider, connection_id: str
) -> None:
    mine = provider.authorize(await begun(browser, connection_id))
    head = await browser.send("HEAD", f"{CALLBACK}?{urlencode(mine)}", None, {})
    assert (head.status, cookies.SESSION in browser.cookies) == (303, False)
    assert (await brought(browser, mine)).location == "/account"


@pytest.mark.parametrize(
    ("language", "words"), [("en", "canceled or refused there"), ("de", "abgebrochen")]
)
async def test_a_person_who_says_no_there_can_begin_again(
    new_browser: NewBrowser, provider: Provider, connection_id: str, language: str, words: str
) -> None:
    browser = new_browser(**{"Accept-Language": language})
    url = await begun(browser, connection_id, "/sign-in?return_to=/account/email")
    state = parse_qs(urlsplit(url).query)["state"][0]
    said = {"error": "access_denied", "state": state, "iss": provider.issuer}
    refused = await brought(browser, {**said, "error_description": "<b>Call 555"})
    assert words in refused.alert
    assert "555" not in refused.text
    assert "/sign-in?return_to=%2Faccount%2Femail" in refused.reader.links


async def test_an_answer_that_is_not_right_is_refused(
    browser: Browser, provider: Provider, connection_id: str
) -> None:
    provider.id_token = lambda claims: claims.update(nonce="another")
    refused = await signed_in(browser, provider, connection_id)
    assert (refused.status, refused.heading) == (422, "That did not work")
    assert "not valid" in refused.alert


async def test_somebody_with_an_account_signs_in_first_and_links_there(
    world: World, browser: Browser, provider: Provider, connection_id: str, grace: Somebody
) -> None:
    ada = await world.new_person(grace.email)
    provider.person = grace.claims(email_verified=False)
    refused = await signed_in(browser, provider, connection_id)
    assert refused.status == 409
    assert "already" in refused.alert
    [link] = [each for each in refused.reader.links if "return_to" in each]
    assert (await sign_in(browser, ada, link)).location == IDENTITIES
    linked = await linking(browser, provider, connection_id)
    assert linked.notice == "The sign-in is linked. You can use it from now on."


async def linking(browser: Browser, provider: Provider, connection_id: str) -> PageAnswer:
    """Links, from the list of what is linked on; gives that list."""
    page = await browser.get(IDENTITIES)
    url = leads_to(await browser.submit(page, IDENTITIES, connection_id=connection_id))
    return await browser.follow(await brought(browser, provider.authorize(url)))


async def test_an_address_that_is_not_verified_there_is_verified_by_mail(
    browser: Browser, provider: Provider, connection_id: str, grace: Somebody
) -> None:
    provider.person = grace.claims(email_verified=False)
    path = "/sign-in?return_to=/account/email"
    refused = await signed_in(browser, provider, connection_id, path)
    assert "We have sent you a new mail" in refused.alert
    assert browser.cookies[cookies.RETURN].strip(chr(34)) == "/account/email"


async def test_a_link_is_made_shown_and_taken_back_after_a_question(
    browser: Browser, person: Person, provider: Provider, connection_id: str, grace: Somebody
) -> None:
    await sign_in(browser, person)
    empty = await browser.get(IDENTITIES)
    assert f"Link {NAME}" in empty.text
    linked = await linking(browser, provider, connection_id)
    assert grace.email in linked.text
    assert f"Link {NAME}" not in linked.text
    [question] = [each for each in linked.reader.links if each.startswith(UNLINK)]
    page = await browser.get(question)
    assert page.heading == f"Unlink “{NAME}”?"
    done = await browser.submit(page, UNLINK)
    assert done.location == f"{IDENTITIES}?notice=identity-unlinked"
    # Another window does the same a little later.
    assert (await browser.submit(page, UNLINK)).status == 303
    assert "None is linked." in (await browser.follow(done)).text


async def test_the_last_way_in_stays(
    browser: Browser, provider: Provider, connection_id: str
) -> None:
    await signed_in(browser, provider, connection_id)
    listed = await browser.get(IDENTITIES)
    [question] = [each for each in listed.reader.links if each.startswith(UNLINK)]
    refused = await browser.submit(await browser.get(question), UNLINK)
    assert refused.status == 409
    assert "your last way to sign in" in refused.alert


async def test_what_is_linked_to_somebody_else_is_not_linked_again(
    browser: Browser,
    new_browser: NewBrowser,
    person: Person,
    provider: Provider,
    connection_id: str,
) -> None:
    await signed_in(new_browser(), provider, connection_id)
    await sign_in(browser, person)
    page = await browser.get(IDENTITIES)
    url = leads_to(await browser.submit(page, IDENTITIES, connection_id=connection_id))
    refused = await brought(browser, provider.authorize(url))
    assert "linked to another account" in refused.alert
    assert IDENTITIES in refused.reader.links


@pytest.mark.parametrize("connection", ["", "made-up", GONE])
async def test_a_connection_that_there_is_not_is_refused_on_the_page(
    browser: Browser, person: Person, connection: str
) -> None:
    page = await browser.get("/sign-in")
    fields = {"form_token": page.form("/sign-in").fields["form_token"]}
    answer = await browser.post(WITH, {**fields, "connection_id": connection})
    assert answer.status in (404, 422)
    assert answer.alert
    await sign_in(browser, person)
    fields = {"form_token": (await browser.get(IDENTITIES)).form("/sign-out").fields["form_token"]}
    answer = await browser.post(IDENTITIES, {**fields, "connection_id": connection})
    assert answer.status in (404, 422)
    assert answer.alert


async def test_a_provider_that_is_away_is_no_dead_end(
    browser: Browser, provider: Provider, connection_id: str
) -> None:
    url = await begun(browser, connection_id)
    mine = provider.authorize(url)
    provider.raw_answer = b"no JSON"
    refused = await brought(browser, mine)
    assert refused.status in (422, 503)
    assert "/sign-in" in refused.reader.links


async def test_a_test_shows_its_checks_and_signs_nobody_in(
    world: World, browser: Browser, provider: Provider, administrator: Person, connection_id: str
) -> None:
    stub: Any = PlatformConnectionServiceStub(world.channel)
    test = await stub.TestPlatformConnection(
        platform.TestPlatformConnectionRequest(connection_id=connection_id),
        metadata=administrator.metadata,
    )
    browser.cookies[cookies.FEDERATED] = test.browser_token
    page = await brought(browser, provider.authorize(test.authorization_url))
    assert page.heading == "The connection was tested"
    assert "nonce" in page.text
    assert cookies.SESSION not in browser.cookies


async def test_an_address_leads_to_the_sign_in_of_its_organization(
    world: World, browser: Browser, provider: Provider
) -> None:
    owner = await world.new_person()
    organization_id = await world.new_organization(owner)
    domain = (await prove(world, owner, organization_id, new_name())).name
    email = provider.person["email"] = f"grace@{domain}"
    first = await new_connection(
        world, owner, organization_id, provider.issuer, member_role="member"
    )
    page = await browser.get(f"{SINGLE_SIGN_ON}?return_to=/account/organizations")
    url = leads_to(await browser.submit(page, SINGLE_SIGN_ON, email=f" {email} "))
    assert parse_qs(urlsplit(url).query)["login_hint"] == [email]
    assert (await brought(browser, provider.authorize(url))).location == "/account/organizations"
    assert email in (await browser.get("/account")).text
    # With two there is a choice, and the address goes along.
    await new_connection(world, owner, organization_id, provider.issuer, name="Zentrale <b>")
    page = await browser.get(f"{SINGLE_SIGN_ON}?return_to=/account/organizations")
    choice = await browser.submit(page, SINGLE_SIGN_ON, email=email)
    assert choice.status == 200
    assert "Continue with Zentrale &lt;b&gt;" in choice.text
    url = leads_to(await browser.submit(choice, WITH, connection_id=first))
    assert parse_qs(urlsplit(url).query)["login_hint"] == [email]
    assert (await brought(browser, provider.authorize(url))).location == "/account/organizations"


async def test_a_second_factor_is_shown_before_a_link_and_before_it_is_taken_back(
    world: World, browser: Browser, provider: Provider, connection_id: str
) -> None:
    protected = await enroll_app(world, await world.new_person())
    page = await browser.follow(await sign_in(browser, protected.person))
    await browser.submit(page, "/sign-in/verify", code=protected.next_code())
    with world.clock.later(timedelta(minutes=6)):
        provider.id_token = lambda claims: claims.update(
            iat=claims["iat"] + 360, exp=claims["exp"] + 360
        )
        asked = await browser.submit(
            await browser.get(IDENTITIES), IDENTITIES, connection_id=connection_id
        )
        assert asked.location == "/step-up"
        question = await browser.follow(asked)
        code = protected.next_code()
        done = await browser.submit(question, "/step-up", code=code)
        assert done.location == f"{IDENTITIES}?notice=confirmed"
        linked = await linking(browser, provider, connection_id)
    with world.clock.later(timedelta(minutes=12)):
        [link] = [each for each in linked.reader.links if each.startswith(UNLINK)]
        asked = await browser.submit(await browser.get(link), UNLINK)
        assert asked.location == "/step-up"
        done = await browser.submit(
            await browser.follow(asked), "/step-up", code=protected.next_code()
        )
        # The question is there again, about the same one.
        page = await browser.follow(done)
        assert page.heading == f"Unlink “{NAME}”?"
        assert "identity-unlinked" in (await browser.submit(page, UNLINK)).location


async def test_a_link_of_a_session_that_has_ended_meanwhile_is_not_made(
    browser: Browser, person: Person, provider: Provider, connection_id: str
) -> None:
    await sign_in(browser, person)
    page = await browser.get(IDENTITIES)
    url = leads_to(await browser.submit(page, IDENTITIES, connection_id=connection_id))
    await browser.submit(page, "/sign-out")
    refused = await brought(browser, provider.authorize(url))
    assert refused.status in (422, 403)
    assert cookies.SESSION not in browser.cookies


async def test_one_address_opened_many_times_at_once_makes_one_session(
    browser: Browser, provider: Provider, connection_id: str
) -> None:
    mine = provider.authorize(await begun(browser, connection_id))
    answers = await asyncio.gather(*(brought(browser, mine) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [303, *[422] * 19]


@pytest.mark.parametrize("query", ["state=%FF&code=%00", "state=a&state=b", "iss=" + "x" * 600])
async def test_odd_addresses_are_refused_as_pages(browser: Browser, query: str) -> None:
    for held in ("", "x", "x" * 2000):
        browser.cookies[cookies.FEDERATED] = held
        refused = await browser.get(f"{CALLBACK}?{query}")
        assert (refused.status, refused.heading) == (422, "That did not work")


async def test_an_odd_cookie_hinders_nobody(
    browser: Browser, provider: Provider, connection_id: str
) -> None:
    browser.cookies[cookies.FEDERATED] = "x" * 2000
    assert (await signed_in(browser, provider, connection_id)).location == "/account"


async def test_an_address_of_no_organization_is_said_to_be_one(browser: Browser) -> None:
    page = await browser.get(SINGLE_SIGN_ON)
    answer = await browser.submit(page, SINGLE_SIGN_ON, email="ada@nowhere.example")
    assert answer.status == 422
    assert "No organization" in answer.text
    assert (await browser.submit(page, SINGLE_SIGN_ON, email=" ")).status == 422
    assert (await browser.submit(page, SINGLE_SIGN_ON, email="x" * 300)).status == 422


async def test_a_form_of_another_site_begins_nothing(browser: Browser, connection_id: str) -> None:
    answer = await browser.post(
        WITH, {"connection_id": connection_id}, {"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status == 403
    assert cookies.FEDERATED not in browser.cookies
    assert (await browser.get(WITH)).location == "/sign-in"


async def test_who_has_no_password_confirms_with_the_provider_and_goes_on(
    world: World, browser: Browser, provider: Provider, connection_id: str
) -> None:
    def say_when(claims: dict[str, Any]) -> None:
        now = int(world.clock().timestamp())
        claims.update(iat=now, exp=now + 300, auth_time=now)

    provider.id_token = say_when
    await signed_in(browser, provider, connection_id)
    path = "/account/security/app"
    with world.clock.later(timedelta(minutes=6)):
        asked = await browser.submit(await browser.get(path), path)
        assert asked.location == "/step-up"
        question = await browser.follow(asked)
        assert "Your sign-in provider asks you once more" in question.text
        url = leads_to(await browser.submit(question, "/step-up"))
        assert parse_qs(urlsplit(url).query)["prompt"] == ["login"]
        done = await brought(browser, provider.authorize(url))
        assert done.location == f"{path}?notice=confirmed"
        page = await browser.submit(await browser.follow(done), path)
        assert page.form(path).fields["step"] == "confirm"


async def test_who_can_confirm_nothing_is_told_to_sign_in_again(
    world: World, browser: Browser, administrator: Person, provider: Provider
) -> None:
    """No loop: the provider cannot be asked when it last saw the person."""
    made = await new_platform_connection(
        world, administrator, provider.issuer, name="Google here", preset="google"
    )
    try:
        await signed_in(browser, provider, made)
        path = "/account/security/app"
        with world.clock.later(timedelta(minutes=6)):
            answer = await browser.submit(await browser.get(path), path)
            assert answer.location == "/account/security?notice=sign-in-again"
            assert "Sign out, sign in again" in (await browser.follow(answer)).text
            own = await browser.get("/step-up")
            assert own.location == "/account/security?notice=sign-in-again"
    finally:
        await PlatformConnectionServiceStub(world.channel).DeletePlatformConnection(
            platform.DeletePlatformConnectionRequest(connection_id=made),
            metadata=administrator.metadata,
        )


async def test_of_a_provider_that_is_slow_at_each_step_the_page_says_that_it_is(
    browser: Browser, provider: Provider, connection_id: str
) -> None:
    """Each answer comes in time, and all together do not: the page waits, but not for ever."""
    url = await begun(browser, connection_id)
    query = provider.authorize(url)
    provider.delay, provider.claims_in_userinfo = 2.8, True
    page = await brought(browser, query)
    assert provider.asked[-3:] == ["/token", "/jwks", "/userinfo"]
    assert "The sign-in there does not answer right now." in page.text


SIGN_OUT_THERE = re.compile(r'<a class="primary" href="([^"]+)"')


async def test_after_a_sign_out_the_provider_is_offered_too(
    browser: Browser, provider: Provider, connection_id: str
) -> None:
    await signed_in(browser, provider, connection_id)
    answer = await browser.submit(await browser.get("/account"), "/sign-out")
    assert answer.status == 200
    assert answer.notice == "You are signed out."
    assert f"Sign out at {NAME}, too" in answer.text
    found = SIGN_OUT_THERE.search(answer.text)
    assert found
    assert unescape(found[1]).startswith(f"{provider.base}/logout?client_id=")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    # It is not done, and here nobody is signed in any more.
    assert cookies.SESSION not in browser.cookies
    assert (await browser.get("/account")).location.startswith("/sign-in")


async def test_a_sign_out_everywhere_offers_the_provider_too(
    browser: Browser, provider: Provider, connection_id: str
) -> None:
    await signed_in(browser, provider, connection_id)
    page = await browser.get("/account/sessions")
    fields = page.form("/sign-out").fields
    answer = await browser.post("/account/sessions", {**fields, "end": "all"})
    assert answer.notice == "You are signed out everywhere."
    assert f"Sign out at {NAME}, too" in answer.text


async def test_a_session_that_began_with_a_password_has_no_provider_to_sign_out_at(
    browser: Browser, person: Person
) -> None:
    await sign_in(browser, person)
    answer = await browser.submit(await browser.get("/account"), "/sign-out")
    assert answer.location == "/sign-in?notice=signed-out"


async def test_a_connection_that_is_gone_keeps_nobody_signed_in(
    browser: Browser, world: World, administrator: Person, provider: Provider
) -> None:
    made = await new_platform_connection(world, administrator, provider.issuer, name="Short-lived")
    await signed_in(browser, provider, made)
    account = await browser.get("/account")
    await PlatformConnectionServiceStub(world.channel).DeletePlatformConnection(
        platform.DeletePlatformConnectionRequest(connection_id=made),
        metadata=administrator.metadata,
    )
    answer = await browser.submit(account, "/sign-out")
    assert answer.location.startswith("/sign-in")
    assert cookies.SESSION not in browser.cookies
