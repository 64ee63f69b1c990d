"""An application asks to sign its person out: the page, the button, and where they go."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from portico.oauth.v1 import token_service_pb2 as tokens
from portico.oauth.v1.token_service_pb2_grpc import TokenServiceStub

from tests.core.applications.conftest import ISSUER
from tests.core.world import INTERNAL_TOKEN, Person, World, bearer
from tests.web.browser import Browser, PageAnswer
from tests.web.conftest import NewBrowser, sign_in
from tests.web.oauth_client import FORM, OAuthClient, decide, new_client, settled

LOGOUT = "/oauth/logout"
CONFIRM = "/oauth/logout/confirm"
LEFT = "https://app.example.com/left"
HOSTILE = "https://elsewhere.example.com/"


@pytest.fixture
async def client(world: World, person: Person) -> OAuthClient:
    """An application of the person's organization."""
    organization_id = await world.new_organization(person)
    return await new_client(world, person, organization_id, post_logout_redirect_uris=[LEFT])


@pytest.fixture
async def signed_in(browser: Browser, person: Person) -> Browser:
    """The browser in which the person is signed in."""
    await sign_in(browser, person)
    return browser


async def id_token(world: World, browser: Browser, client: OAuthClient) -> str:
    """The ID token of the browser's session."""
    answer = await client.send(browser)
    if answer.status == 200:
        answer = await decide(browser, answer, "approve")
    code = client.answer(answer)["code"]
    request = tokens.IssueTokenRequest(
        grant_type="authorization_code",
        client=tokens.ClientCredentials(
            client_id=client.client_id,
            client_secret=client.client_secret,
            method="client_secret_basic",
        ),
        code=code,
        redirect_uri=client.redirect_uri,
        code_verifier=client.verifier,
    )
    stub = TokenServiceStub(world.channel)
    issued = await stub.IssueToken(request, metadata=bearer(INTERNAL_TOKEN))
    return str(issued.id_token)


def logout(**parameters: str) -> str:
    """The address that an application sends a browser to."""
    return f"{LOGOUT}?{urlencode(parameters)}"


async def is_signed_in(browser: Browser) -> bool:
    return (await browser.get("/account")).status == 200


def asked(page: PageAnswer) -> PageAnswer:
    assert (page.status, page.heading) == (200, "Sign out?"), page.text
    return page


async def test_with_its_id_token_the_session_ends_and_the_person_is_back_at_once(
    world: World, signed_in: Browser, client: OAuthClient
) -> None:
    hint = await id_token(world, signed_in, client)
    answer = await signed_in.get(
        logout(id_token_hint=hint, post_logout_redirect_uri=LEFT, state="xyz")
    )
    assert (answer.status, answer.location) == (303, f"{LEFT}?state=xyz")
    assert not await is_signed_in(signed_in)
    again = await signed_in.get(logout(id_token_hint=hint, post_logout_redirect_uri=LEFT))
    assert (again.status, again.location) == (303, LEFT)


async def test_without_a_place_to_go_the_page_says_that_they_are_signed_out(
    world: World, signed_in: Browser, client: OAuthClient
) -> None:
    hint = await id_token(world, signed_in, client)
    page = await signed_in.get(logout(id_token_hint=hint))
    assert (page.status, page.heading) == (200, "You are signed out")
    assert not await is_signed_in(signed_in)


async def test_a_form_is_as_good_as_an_address(
    world: World, signed_in: Browser, client: OAuthClient
) -> None:
    hint = await id_token(world, signed_in, client)
    body = urlencode({"id_token_hint": hint, "post_logout_redirect_uri": LEFT}).encode()
    headers = {"Content-Type": FORM, "Origin": "https://app.example.com"}
    answer = await signed_in.send("POST", LOGOUT, body, headers)
    answer = await settled(signed_in, answer)
    assert (answer.status, answer.location) == (303, LEFT)
    assert not await is_signed_in(signed_in)


async def test_without_a_hint_the_person_is_asked_and_may_stay(
    signed_in: Browser, client: OAuthClient
) -> None:
    page = asked(
        await signed_in.get(
            logout(client_id=client.client_id, post_logout_redirect_uri=LEFT, state="s")
        )
    )
    assert "Analytical Engine asks to sign you out" in page.text
    assert await is_signed_in(signed_in)
    done = await signed_in.submit(page, CONFIRM)
    assert f'content="0; url={LEFT}?state=s"' in done.text
    assert not await is_signed_in(signed_in)


async def test_a_link_from_anywhere_signs_nobody_out(
    world: World,
    signed_in: Browser,
    client: OAuthClient,
    person: Person,
    new_browser: NewBrowser,
) -> None:
    asked(await signed_in.get(LOGOUT))
    elsewhere = new_browser()
    await sign_in(elsewhere, person)
    of_another_session = await id_token(world, elsewhere, client)
    asked(await signed_in.get(logout(id_token_hint=of_another_session)))
    body = urlencode({"client_id": client.client_id}).encode()
    forged = await signed_in.send("POST", CONFIRM, body, {"Content-Type": FORM})
    assert forged.status in (303, 403)
    assert await is_signed_in(signed_in)


async def test_who_is_not_signed_in_goes_on_by_themselves_without_a_hint(
    browser: Browser, client: OAuthClient
) -> None:
    page = await browser.get(logout(client_id=client.client_id, post_logout_redirect_uri=LEFT))
    assert (page.status, page.heading) == (200, "You are signed out")
    assert f'href="{LEFT}"' in page.text
    page = await browser.get(LOGOUT)
    assert (page.status, page.heading) == (200, "You are signed out")


async def test_what_cannot_be_trusted_is_shown_and_ends_and_leads_nowhere(
    world: World, signed_in: Browser, client: OAuthClient
) -> None:
    hint = await id_token(world, signed_in, client)
    forged = jwt.encode({"aud": client.client_id}, "k" * 32, "HS256")
    for place in (
        logout(id_token_hint=hint, post_logout_redirect_uri=HOSTILE),
        logout(id_token_hint=hint[:-8] + "AAAAAAAA", post_logout_redirect_uri=LEFT),
        logout(id_token_hint=forged, post_logout_redirect_uri=LEFT),
        logout(post_logout_redirect_uri=LEFT),
        logout(client_id="nobody", post_logout_redirect_uri=LEFT),
        logout(id_token_hint="x" * 9000),
        f"{logout(client_id=client.client_id)}&client_id=other",
        f"{LOGOUT}?state=%ZZ",
    ):
        page = await signed_in.get(place)
        assert page.status == 400, place
        assert "Location" not in page.headers
        assert f'href="{HOSTILE}"' not in page.text
    assert await is_signed_in(signed_in)


async def test_what_is_unknown_of_a_request_is_ignored(
    world: World, signed_in: Browser, client: OAuthClient
) -> None:
    hint = await id_token(world, signed_in, client)
    answer = await signed_in.get(
        logout(
            id_token_hint=hint,
            post_logout_redirect_uri=LEFT,
            logout_hint="ada@example.com",
            ui_locales="de",
            more="of it",
        )
    )
    assert (answer.status, answer.location) == (303, LEFT)


async def test_the_page_speaks_the_language_that_the_application_asks_for(
    signed_in: Browser, client: OAuthClient
) -> None:
    page = await signed_in.get(logout(client_id=client.client_id, ui_locales="de"))
    assert page.heading == "Abmelden?"


FRONT = "https://app.example.com/signed-out?from=portico"


@pytest.fixture
async def told(world: World, person: Person) -> OAuthClient:
    """An application that is told by the browser of the end of a session, and which it is."""
    organization_id = await world.new_organization(person)
    return await new_client(
        world,
        person,
        organization_id,
        post_logout_redirect_uris=[LEFT],
        frontchannel_logout_uri=FRONT,
        frontchannel_logout_session_required=True,
    )


def frames(page: PageAnswer) -> list[str]:
    """The addresses that a page loads in frames."""
    return [html.unescape(each) for each in re.findall(r'<iframe[^>]* src="([^"]*)"', page.text)]


def policy(page: PageAnswer) -> dict[str, str]:
    """What a page may load, by kind."""
    directives = page.headers["Content-Security-Policy"].split("; ")
    return {name: value for name, _, value in (each.partition(" ") for each in directives)}


def told_of(page: PageAnswer, id_token: str) -> None:
    """Asserts that the browser tells the application of the session, and loads nothing else."""
    sid = jwt.decode(id_token, options={"verify_signature": False})["sid"]
    named = urlencode({"iss": ISSUER, "sid": sid})
    assert frames(page) == [f"{FRONT}&{named}"]
    assert policy(page)["frame-src"] == "https://app.example.com"
    assert policy(page)["frame-ancestors"] == "'none'"
    assert 'sandbox="allow-scripts allow-same-origin"' in page.text


async def test_the_browser_tells_the_applications_of_the_session_and_goes_on(
    world: World, signed_in: Browser, client: OAuthClient, told: OAuthClient
) -> None:
    await id_token(world, signed_in, client)
    hint = await id_token(world, signed_in, told)
    page = await signed_in.get(
        logout(id_token_hint=hint, post_logout_redirect_uri=LEFT, state="xyz")
    )
    assert (page.status, page.heading) == (200, "You are signed out")
    told_of(page, hint)
    # Without a script as well, and whatever becomes of the frames.
    place = f"{LEFT}?state=xyz"
    assert f'<meta http-equiv="refresh" content="5; url={place}">' in page.text
    assert f'href="{place}"' in page.text
    assert policy(page)["script-src"] == "'self'"
    script = re.search(r'<script src="(/assets/logout-frames-[^"]+)"', page.text)
    assert script is not None
    assert (await signed_in.get(script.group(1))).status == 200
    assert not await is_signed_in(signed_in)


async def test_the_page_of_the_end_tells_them_if_there_is_nowhere_to_go(
    world: World, signed_in: Browser, told: OAuthClient
) -> None:
    hint = await id_token(world, signed_in, told)
    page = await signed_in.get(logout(id_token_hint=hint))
    told_of(page, hint)
    assert "refresh" not in page.text
    assert "script-src" not in policy(page)
    # The session is over; nobody is told of another.
    again = await signed_in.get(logout(id_token_hint=hint))
    assert frames(again) == []


async def test_who_signs_out_on_our_page_signs_out_of_the_applications(
    world: World, signed_in: Browser, told: OAuthClient
) -> None:
    hint = await id_token(world, signed_in, told)
    page = await signed_in.submit(await signed_in.get("/sign-out"), "/sign-out")
    told_of(page, hint)
    assert 'content="5; url=/sign-in?notice=signed-out"' in page.text
    assert not await is_signed_in(signed_in)


async def test_another_session_of_the_person_is_not_ended_by_the_browser(
    world: World,
    signed_in: Browser,
    told: OAuthClient,
    person: Person,
    new_browser: NewBrowser,
) -> None:
    elsewhere = new_browser()
    await sign_in(elsewhere, person)
    await id_token(world, elsewhere, told)
    answer = await signed_in.submit(await signed_in.get("/sign-out"), "/sign-out")
    assert answer.status == 303


@pytest.mark.parametrize("state", ["a+b/c==", "x#y&z=1", "é ☃", '"><script>', "%2B%00", "a" * 1000])
async def test_a_state_comes_back_as_it_was(
    world: World, signed_in: Browser, client: OAuthClient, state: str
) -> None:
    hint = await id_token(world, signed_in, client)
    place = logout(id_token_hint=hint, post_logout_redirect_uri=LEFT, state=state)
    answer = await signed_in.get(place)
    assert answer.location.startswith(f"{LEFT}?"), answer.text
    assert parse_qs(urlsplit(answer.location).query) == {"state": [state]}
    assert not urlsplit(answer.location).fragment
