"""An application asks a person: the request, the sign-in, the question, and what goes back."""

from __future__ import annotations

import asyncio
import hashlib
import re
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from sqlalchemy import text

from edge.web import cookies
from tests.core.applications.test_images import png
from tests.core.world import Person, World
from tests.support.certificates import new_certificate
from tests.web.browser import Browser, PageAnswer
from tests.web.conftest import NewBrowser, sign_in
from tests.web.oauth_client import (
    AUTHORIZE,
    CONSENT,
    FORM,
    OAuthClient,
    decide,
    new_client,
    settled,
)

REFRESH = re.compile(r'<meta http-equiv="refresh" content="0; url=([^"]+)">')
APPLICATIONS = "/account/applications"


@pytest.fixture
async def organization_id(world: World, person: Person) -> str:
    """The person's organization."""
    return await world.new_organization(person)


@pytest.fixture
async def client(world: World, person: Person, organization_id: str) -> OAuthClient:
    """An application of it."""
    return await new_client(world, person, organization_id)


@pytest.fixture
async def signed_in(browser: Browser, person: Person) -> Browser:
    """The browser in which the person is signed in."""
    await sign_in(browser, person)
    return browser


def sent_on(page: PageAnswer) -> str:
    """Where a page sends the browser on to."""
    found = REFRESH.search(page.text)
    assert found, page.text
    return unescape(found[1])


def consent_asked(page: PageAnswer) -> PageAnswer:
    assert page.status == 200, page.text
    assert page.heading.endswith("asks for access"), page.text
    return page


# The whole way


async def test_a_person_signs_in_agrees_and_the_application_gets_tokens(
    browser: Browser, person: Person, client: OAuthClient
) -> None:
    page = await client.send(browser)
    assert page.heading == "Sign in"
    answer = await browser.submit(page, "/sign-in", email=person.email, password=person.password)
    page = consent_asked(await settled(browser, answer))
    back = client.answer(await decide(browser, page, "approve"))
    assert set(back) == {"code", "state", "iss"}
    status, tokens = await client.call(browser, "/oauth/token", client.exchange(back["code"]))
    assert status == 200, tokens
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] > 0
    assert set(tokens["scope"].split()) == {"openid", "email", "projects:read"}
    assert tokens["id_token"].count(".") == 2
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    status, claims = await client.call(browser, "/oauth/userinfo", {}, bearer)
    assert (status, claims["email"], claims["email_verified"]) == (200, person.email, True)
    status, claims = await client.call(
        browser, "/oauth/userinfo", {"access_token": tokens["access_token"]}, {}
    )
    assert (status, claims["email"]) == (200, person.email)
    token = {"token": tokens["access_token"]}
    status, said = await client.call(browser, "/oauth/introspect", token)
    assert (status, said["active"], said["client_id"]) == (200, True, client.client_id)
    assert await client.call(browser, "/oauth/revoke", token) == (200, None)
    assert await client.call(browser, "/oauth/introspect", token) == (200, {"active": False})
    status, refused = await client.call(browser, "/oauth/userinfo", {}, bearer)
    assert (status, refused["error"]) == (401, "invalid_token")


async def test_the_page_says_who_asks_for_what_for_whom_and_where_that_leads(
    signed_in: Browser, person: Person, client: OAuthClient
) -> None:
    page = consent_asked(await client.send(signed_in))
    assert page.heading == "Analytical Engine asks for access"
    for words in (
        "Know that it is you.",
        "See your email address.",
        "See the organization&#39;s projects.",
        "app.example.com",
        person.email,
    ):
        assert words in page.text, words
    assert {"https://app.example.com/privacy", "https://app.example.com/terms"} <= set(
        page.reader.links
    )
    ids = {name for name in page.reader.attributes if name.startswith("#")}
    assert {"#approve", "#deny"} <= ids
    assert 'id="consent"' in page.text
    assert "<script" not in page.text


async def test_the_page_is_in_the_language_that_the_application_asks_for(
    signed_in: Browser, client: OAuthClient
) -> None:
    page = await client.send(signed_in, ui_locales="de")
    assert page.heading == "Analytical Engine bittet um Zugriff"
    assert "Ihre E-Mail-Adresse sehen." in page.text
    assert "See your email address." not in page.text


async def test_whoever_denies_sends_the_application_away_with_an_error(
    signed_in: Browser, client: OAuthClient
) -> None:
    page = consent_asked(await client.send(signed_in))
    back = client.answer(await decide(signed_in, page, "deny"))
    assert back["error"] == "access_denied"
    assert "iss" in back
    assert "code" not in back


async def test_what_was_given_is_not_asked_again_and_what_is_new_is(
    signed_in: Browser, client: OAuthClient
) -> None:
    page = consent_asked(await client.send(signed_in))
    await decide(signed_in, page, "approve")
    assert "code" in client.answer(await client.send(signed_in))
    narrower = await client.send(signed_in, scope="openid projects:read")
    assert "code" in client.answer(narrower)
    wider = consent_asked(await client.send(signed_in, scope="openid projects:read keys:read"))
    assert "You have let it do this before:" in wider.text
    assert "It also wants to:" in wider.text


async def test_a_double_submit_gives_one_code(
    signed_in: Browser, client: OAuthClient, person: Person
) -> None:
    page = consent_asked(await client.send(signed_in))
    answers = await asyncio.gather(*(decide(signed_in, page, "approve") for _ in range(4)))
    codes = [client.answer(answer)["code"] for answer in answers]
    results = [
        await client.call(signed_in, "/oauth/token", client.exchange(code))
        for code in dict.fromkeys(codes)
    ]
    assert [status for status, _ in results].count(200) <= 1


async def test_tabs_are_independent_and_back_and_reload_work(
    signed_in: Browser, client: OAuthClient, world: World, person: Person, organization_id: str
) -> None:
    other = await new_client(world, person, organization_id, name="Difference Engine")
    one = consent_asked(await client.send(signed_in))
    two = consent_asked(await other.send(signed_in))
    assert two.heading.startswith("Difference Engine")
    # The address of the page alone brings it back.
    request_id = one.form(CONSENT).fields["request_id"]
    again = await signed_in.get(f"{CONSENT}?{urlencode({'request_id': request_id})}")
    assert consent_asked(again).heading == one.heading
    assert "code" in other.answer(await decide(signed_in, two, "approve"))
    assert "code" in client.answer(await decide(signed_in, one, "approve"))
    # Whoever goes back and sends it once more gets another code.
    assert "code" in client.answer(await decide(signed_in, one, "approve"))


async def test_a_request_may_be_sent_as_a_form_from_anywhere(
    signed_in: Browser, client: OAuthClient
) -> None:
    """OpenID Connect Core, 3.1.2.1: GET and POST. A browser brings no cookie with such a form."""
    stranger_headers = {"Content-Type": FORM, "Sec-Fetch-Site": "cross-site"}
    kept = dict(signed_in.cookies)
    signed_in.cookies.clear()
    body = urlencode(client.parameters).encode()
    answer = await signed_in.send("POST", AUTHORIZE, body, stranger_headers)
    signed_in.cookies.update(kept)
    consent_asked(await settled(signed_in, answer))


# Sign-in on the way


async def test_the_sign_in_knows_whom_the_application_expects(
    browser: Browser, client: OAuthClient
) -> None:
    page = await client.send(browser, login_hint="grace@example.com")
    assert page.form("/sign-in").fields["email"] == "grace@example.com"


async def test_after_the_sign_in_the_browser_is_sent_on_from_a_page(
    browser: Browser, new_browser: NewBrowser, person: Person, client: OAuthClient
) -> None:
    """Chromium holds redirects after a form to the policy of the page with the form."""
    await sign_in(browser, person)
    await decide(browser, consent_asked(await client.send(browser)), "approve")
    other = new_browser()
    page = await client.send(other)
    answer = await other.submit(page, "/sign-in", email=person.email, password=person.password)
    place = sent_on(await settled(other, answer))
    assert place.startswith(f"{client.redirect_uri}?")
    assert "code=" in place


async def test_without_a_page_whoever_is_not_signed_in_is_an_error(
    browser: Browser, client: OAuthClient
) -> None:
    back = client.answer(await client.send(browser, prompt="none"))
    assert back["error"] == "login_required"
    assert "iss" in back


async def test_without_a_page_a_question_is_an_error(
    signed_in: Browser, client: OAuthClient
) -> None:
    back = client.answer(await client.send(signed_in, prompt="none"))
    assert back["error"] == "consent_required"
    await decide(signed_in, await client.send(signed_in), "approve")
    assert "code" in client.answer(await client.send(signed_in, prompt="none"))


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "0"}])
async def test_a_person_shows_once_more_who_they_are(
    signed_in: Browser, person: Person, client: OAuthClient, asked: dict[str, str]
) -> None:
    await asyncio.sleep(0.05)
    page = await client.send(signed_in, **asked)
    assert page.title.startswith("Confirm"), page.text
    answer = await signed_in.submit(page, "/step-up", password=person.password)
    page = consent_asked(await settled(signed_in, answer))
    assert "code" in client.answer(await decide(signed_in, page, "approve"))


async def test_another_account_can_be_used(
    signed_in: Browser, world: World, client: OAuthClient
) -> None:
    grace = await world.new_person()
    await world.new_organization(grace)
    page = consent_asked(await client.send(signed_in))
    page = await settled(signed_in, await signed_in.submit(page, "/sign-out"))
    assert page.heading == "Sign in"
    answer = await signed_in.submit(page, "/sign-in", email=grace.email, password=grace.password)
    assert grace.email in consent_asked(await settled(signed_in, answer)).text


async def test_a_session_that_ends_meanwhile_leads_through_the_sign_in_and_back(
    signed_in: Browser, person: Person, client: OAuthClient
) -> None:
    page = consent_asked(await client.send(signed_in))
    del signed_in.cookies[cookies.SESSION]
    answer = await decide(signed_in, page, "approve")
    if answer.status == 403:
        answer = await decide(signed_in, answer, "approve")
    page = await settled(signed_in, answer)
    assert page.heading == "Sign in"
    answer = await signed_in.submit(page, "/sign-in", email=person.email, password=person.password)
    consent_asked(await settled(signed_in, answer))


# Single scopes


async def told_scopes(browser: Browser, client: OAuthClient, answer: PageAnswer) -> list[str]:
    """What the application is told that it got, sorted."""
    code = client.answer(answer)["code"]
    status, tokens = await client.call(browser, "/oauth/token", client.exchange(code))
    assert status == 200, tokens
    return sorted(tokens["scope"].split())


async def untick(browser: Browser, page: PageAnswer, *scopes: str) -> PageAnswer:
    """Allows it, but for some scopes: a browser sends nothing of a box without a tick."""
    fields = {**page.form(CONSENT).fields, "decision": "approve"}
    for scope in scopes:
        del fields[f"scope.{scope}"]
    return await browser.post(CONSENT, fields)


async def test_a_person_leaves_out_single_scopes_and_is_not_asked_in_a_loop(
    signed_in: Browser, client: OAuthClient
) -> None:
    page = consent_asked(await client.send(signed_in))
    assert "scope.openid" not in page.form(CONSENT).fields
    answer = await untick(signed_in, page, "email")
    assert await told_scopes(signed_in, client, answer) == ["openid", "projects:read"]
    # It asks for the same again: nothing is new, and nobody is asked.
    answer = await client.send(signed_in)
    assert await told_scopes(signed_in, client, answer) == ["openid", "projects:read"]
    # With something new, or if it insists, the box is there again, without a tick.
    for asked in ({"scope": "openid email projects:read keys:read"}, {"prompt": "consent"}):
        fields = consent_asked(await client.send(signed_in, **asked)).form(CONSENT).fields
        assert "scope.email" not in fields
        assert "scope.projects:read" not in fields
    page = consent_asked(await client.send(signed_in, prompt="consent"))
    answer = await decide(signed_in, page, "approve", **{"scope.email": "yes"})
    assert await told_scopes(signed_in, client, answer) == ["email", "openid", "projects:read"]


async def test_what_is_required_has_no_box_and_what_is_not_asked_for_cannot_be_added(
    signed_in: Browser, world: World, person: Person, organization_id: str
) -> None:
    client = await new_client(world, person, organization_id, required_scopes=["email"])
    page = consent_asked(await client.send(signed_in, scope="openid email projects:read"))
    fields = page.form(CONSENT).fields
    assert {name for name in fields if name.startswith("scope.")} == {"scope.projects:read"}
    extra = {"scope.keys:read": "yes", "scope.offline_access": "yes", "scope.nothing": "yes"}
    fields = {**fields, **extra, "decision": "approve"}
    del fields["scope.projects:read"]
    answer = await signed_in.post(CONSENT, fields)
    assert await told_scopes(signed_in, client, answer) == ["email", "openid"]


async def test_nothing_chosen_is_never_everything(signed_in: Browser, client: OAuthClient) -> None:
    asked = {"scope": "email projects:read"}
    page = consent_asked(await client.send(signed_in, **asked))
    answer = await untick(signed_in, page, "email", "projects:read")
    assert (answer.status, answer.alert) == (
        422,
        "Choose at least one thing that the application may do, or do not allow it.",
    )
    assert "scope.email" not in answer.form(CONSENT).fields
    answer = await decide(signed_in, answer, "approve", **{"scope.email": "yes"})
    assert await told_scopes(signed_in, client, answer) == ["email"]


async def test_without_a_scope_the_page_shows_all_that_the_application_gets(
    signed_in: Browser, client: OAuthClient
) -> None:
    page = consent_asked(await client.send(signed_in, scope=""))
    shown = {name for name in page.form(CONSENT).fields if name.startswith("scope.")}
    answer = await decide(signed_in, page, "approve")
    told = await told_scopes(signed_in, client, answer)
    assert shown == {f"scope.{name}" for name in told if name != "openid"}
    assert len(shown) == 5


async def test_the_page_shows_our_copy_of_the_logo_and_asks_nobody_else(
    signed_in: Browser, world: World, client: OAuthClient
) -> None:
    content = png(48, 48)
    digest = hashlib.sha256(content).hexdigest()
    async with world.engine.begin() as db:
        await db.execute(
            text("update applications set logo_uri = :uri, logo_digest = :digest where id = :id"),
            {"uri": "https://tracker.example/x.png", "digest": digest, "id": client.client_id},
        )
        await db.execute(
            text("insert into application_logos values (:content, 'image/png', :id)"),
            {"content": content, "id": client.client_id},
        )
    page = consent_asked(await client.send(signed_in))
    place = page.reader.attributes["img"]["src"]
    assert place == f"/assets/logos/{client.client_id}/{digest}"
    assert "tracker.example" not in page.text
    assert "img-src 'self';" in page.headers["Content-Security-Policy"]
    image = await signed_in.get(place)
    assert (image.status, image.body) == (200, content)
    assert image.headers["Content-Type"] == "image/png"
    assert image.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert image.headers["X-Content-Type-Options"] == "nosniff"
    for wrong in (f"{place[:-1]}x", place.replace(digest, "0" * 64), f"{place}/..", f"{place}?x=/"):
        answer = await signed_in.get(wrong)
        assert answer.status == (200 if "?" in wrong else 404), wrong


# Organizations


async def test_a_person_chooses_for_which_organization(
    signed_in: Browser, person: Person, world: World, client: OAuthClient
) -> None:
    second = await world.new_organization(person)
    page = consent_asked(await client.send(signed_in))
    assert 'type="radio"' in page.text
    back = client.answer(await decide(signed_in, page, "approve", organization_id=second))
    _, tokens = await client.call(signed_in, "/oauth/token", client.exchange(back["code"]))
    token = {"token": tokens["access_token"]}
    _, said = await client.call(signed_in, "/oauth/introspect", token)
    assert said["org"] == second


async def test_an_organization_of_others_cannot_be_chosen(
    signed_in: Browser, world: World, client: OAuthClient
) -> None:
    stranger = await world.new_person()
    foreign = await world.new_organization(stranger)
    page = consent_asked(await client.send(signed_in))
    answer = await decide(signed_in, page, "approve", organization_id=foreign)
    assert answer.status != 303 or not answer.location.startswith(client.redirect_uri)


# What goes wrong


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": ""},
        {"client_id": "0199a4c2-0000-7000-8000-000000000000"},
        {"client_id": "<script>alert(1)</script>"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "https://app.example.com/callback/../x"},
        {"redirect_uri": "https://app.example.com/callback?x=1"},
        {"redirect_uri": "javascript:alert(1)"},
    ],
)
async def test_whom_we_cannot_trust_gets_nobody_sent(
    signed_in: Browser, client: OAuthClient, changed: dict[str, str]
) -> None:
    answer = await signed_in.get(client.request(**changed))
    assert answer.status == 400
    assert "Location" not in answer.headers
    assert answer.title.startswith("The application has made a mistake")
    assert "<script" not in answer.text
    assert not REFRESH.search(answer.text)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "openid everything"}, "invalid_scope"),
        ({"resource": "https://other.example.com"}, "invalid_target"),
        ({"request": "e30.e30."}, "invalid_request_object"),
        ({"request_uri": "https://app.example.com/r"}, "request_uri_not_supported"),
        ({"prompt": "none login"}, "invalid_request"),
    ],
)
async def test_what_the_application_does_wrong_it_is_told(
    signed_in: Browser, client: OAuthClient, changed: dict[str, str], error: str
) -> None:
    back = client.answer(await signed_in.get(client.request(**changed)))
    assert back["error"] == error
    assert "iss" in back


async def test_a_parameter_that_is_there_twice_is_refused(
    signed_in: Browser, client: OAuthClient
) -> None:
    answer = await signed_in.get(client.request() + "&scope=openid")
    assert client.answer(answer)["error"] == "invalid_request"
    answer = await signed_in.get(client.request() + f"&client_id={client.client_id}")
    assert answer.status == 400


@pytest.mark.parametrize("query", ["a=%", "a=%FF", "&".join(["a=b"] * 101)])
async def test_a_malformed_request_is_a_page(signed_in: Browser, query: str) -> None:
    answer = await signed_in.get(f"{AUTHORIZE}?{query}")
    assert answer.status == 400
    assert answer.title.startswith("The application has made a mistake")


@pytest.mark.parametrize("request_id", ["", "A" * 40, "A" * 3000])
async def test_an_address_that_is_incomplete_or_made_up_is_a_page(
    signed_in: Browser, request_id: str
) -> None:
    answer = await signed_in.get(f"{CONSENT}?request_id={request_id}")
    assert answer.status == 400
    assert "This request is over" in answer.text


async def test_a_decision_that_another_site_sends_is_none(
    signed_in: Browser, client: OAuthClient
) -> None:
    page = consent_asked(await client.send(signed_in))
    fields = {**page.form(CONSENT).fields, "decision": "approve"}
    answer = await signed_in.post(CONSENT, fields, {"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 400
    assert "Location" not in answer.headers
    fields["form_token"] = "A" * 64
    assert (await signed_in.post(CONSENT, fields)).status == 403


async def test_a_long_state_comes_back_through_a_sign_in(
    browser: Browser, person: Person, client: OAuthClient
) -> None:
    client.state = "x" * 4096
    page = await client.send(browser)
    answer = await browser.submit(page, "/sign-in", email=person.email, password=person.password)
    page = consent_asked(await settled(browser, answer))
    assert "code" in client.answer(await decide(browser, page, "approve"))


async def test_what_is_too_long_for_an_address_is_a_page(
    signed_in: Browser, client: OAuthClient
) -> None:
    body = urlencode({**client.parameters, "state": "x" * 16_000}).encode()
    answer = await signed_in.send("POST", AUTHORIZE, body, {"Content-Type": FORM})
    assert answer.status == 400
    assert "too long" in answer.text


async def test_what_an_application_is_called_is_text(
    signed_in: Browser, world: World, person: Person, organization_id: str
) -> None:
    name = 'A<b>"x"</b>&\'{{7*7}}'
    client = await new_client(world, person, organization_id, name=name)
    page = consent_asked(await client.send(signed_in))
    assert page.heading == f"{name} asks for access"
    assert "<b>" not in page.text
    await decide(signed_in, page, "approve")
    page = await signed_in.get(APPLICATIONS)
    assert name in page.words("name")
    assert "<b>" not in page.text


async def test_an_address_that_somebody_else_opens_asks_them(
    signed_in: Browser, new_browser: NewBrowser, world: World, client: OAuthClient
) -> None:
    page = consent_asked(await client.send(signed_in))
    request_id = page.form(CONSENT).fields["request_id"]
    grace, other = await world.new_person(), new_browser()
    await world.new_organization(grace)
    await sign_in(other, grace)
    theirs = consent_asked(await other.get(f"{CONSENT}?request_id={request_id}"))
    assert grace.email in theirs.text
    # The form of one browser is worth nothing in another.
    fields = {**page.form(CONSENT).fields, "decision": "approve"}
    assert (await other.post(CONSENT, fields)).status == 403
    assert "You have let none in." in (await other.get(APPLICATIONS)).text


# The page's policy, and how answers are brought


async def test_only_the_page_of_the_consent_leads_to_other_places(
    signed_in: Browser, client: OAuthClient
) -> None:
    page = consent_asked(await client.send(signed_in))
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action" not in policy
    assert "script-src" not in policy
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Frame-Options"] == "DENY"
    other = await signed_in.get(APPLICATIONS)
    assert "form-action 'self';" in other.headers["Content-Security-Policy"]


async def test_a_code_may_be_brought_as_a_form(signed_in: Browser, client: OAuthClient) -> None:
    """OAuth 2.0 Form Post Response Mode, section 2."""
    page = consent_asked(await client.send(signed_in, response_mode="form_post", state='"<&'))
    answer = await decide(signed_in, page, "approve")
    assert answer.status == 200
    form = answer.form(client.redirect_uri)
    assert form.method == "post"
    assert set(form.fields) == {"code", "state", "iss"}
    assert form.fields["state"] == '"<&'
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "form-action" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert 'type="submit"' in answer.text
    [script] = re.findall(r'<script src="([^"]+)" defer>', answer.text)
    assert (await signed_in.get(script)).headers["Content-Type"].startswith("text/javascript")


async def test_a_fragment_is_added_if_it_is_asked_for(
    signed_in: Browser, client: OAuthClient
) -> None:
    page = consent_asked(await client.send(signed_in, response_mode="fragment"))
    answer = await decide(signed_in, page, "approve")
    assert not urlsplit(answer.location).query
    assert "code" in parse_qs(urlsplit(answer.location).fragment)


# What was given, in the account


async def test_a_person_sees_what_they_have_given_and_withdraws_it(
    signed_in: Browser, client: OAuthClient
) -> None:
    assert "You have let none in." in (await signed_in.get(APPLICATIONS)).text
    page = consent_asked(await client.send(signed_in))
    back = client.answer(await decide(signed_in, page, "approve"))
    _, tokens = await client.call(signed_in, "/oauth/token", client.exchange(back["code"]))
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    page = await signed_in.get(APPLICATIONS)
    for words in ("Analytical Engine", "See your email address.", "See the organization&#39;s"):
        assert words in page.text
    [grant] = re.findall(r'name="withdraw" value="([^"]+)"', page.text)
    answer = await signed_in.submit(page, APPLICATIONS, withdraw=grant)
    page = await signed_in.follow(answer)
    assert page.notice == "The application can do nothing in your name any more."
    assert "You have let none in." in page.text
    status, _ = await client.call(signed_in, "/oauth/userinfo", {}, bearer)
    assert status == 401
    consent_asked(await client.send(signed_in))


async def test_a_grant_of_somebody_else_stays(
    signed_in: Browser, new_browser: NewBrowser, world: World, client: OAuthClient
) -> None:
    await decide(signed_in, consent_asked(await client.send(signed_in)), "approve")
    page = await signed_in.get(APPLICATIONS)
    [grant] = re.findall(r'name="withdraw" value="([^"]+)"', page.text)
    other = new_browser()
    await sign_in(other, await world.new_person())
    own = await other.get(APPLICATIONS)
    token = re.findall(r'name="form_token" value="([^"]+)"', own.text)[0]
    await other.post(APPLICATIONS, {"form_token": token, "withdraw": grant})
    assert grant in (await signed_in.get(APPLICATIONS)).text


# Certificates


async def test_a_certificate_that_our_proxy_tells_binds_tokens_and_a_strangers_does_not(
    signed_in: Browser, world: World, person: Person, organization_id: str
) -> None:
    client = await new_client(
        world, person, organization_id, tls_client_certificate_bound_access_tokens=True
    )
    page = consent_asked(await client.send(signed_in))
    code = client.answer(await decide(signed_in, page, "approve"))["code"]
    mine, other = new_certificate(), new_certificate()
    for headers in (mine.header, {**mine.header, "x-proxy-secret": "x" * 32}):
        sent = {**client.basic, **headers}
        status, refused = await client.call(signed_in, "/oauth/token", client.exchange(code), sent)
        assert (status, refused["error"]) == (400, "invalid_request")
    sent = {**client.basic, **mine.told}
    status, tokens = await client.call(signed_in, "/oauth/token", client.exchange(code), sent)
    assert (status, tokens["token_type"]) == (200, "Bearer")
    _, said = await client.call(signed_in, "/oauth/introspect", {"token": tokens["access_token"]})
    assert said["cnf"] == mine.cnf
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    for headers, expected in ((mine.told, 200), (mine.header, 401), (other.told, 401), ({}, 401)):
        status, _ = await client.call(signed_in, "/oauth/userinfo", {}, {**bearer, **headers})
        assert status == expected
