"""What the conformance suite asks of the pages that no other test promises.

The plan Form Post is Basic once more, with `response_mode=form_post`: every answer comes back as
a form, whatever it says. Which module is promised by which test: docs/oauth-conformance.md.
"""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from edge.web import cookies
from tests.core.world import Person, World
from tests.web.browser import Browser, PageAnswer
from tests.web.conftest import sign_in
from tests.web.oauth_client import OAuthClient, decide, new_client

LEFT = "https://app.example.com/left"


@pytest.fixture
async def client(world: World, person: Person) -> OAuthClient:
    """An application of the person's organization."""
    organization_id = await world.new_organization(person)
    return await new_client(world, person, organization_id, post_logout_redirect_uris=[LEFT])


def brought(client: OAuthClient, page: PageAnswer) -> dict[str, str]:
    """What a page brings to the application by a form, and by nothing else."""
    assert page.status == 200, page.text
    assert "Location" not in page.headers
    assert page.headers["Cache-Control"] == "no-store"
    form = page.form(client.redirect_uri)
    assert form.method == "post"
    assert form.fields["state"] == client.state
    assert "iss" in form.fields
    return dict(form.fields)


async def test_every_answer_comes_back_as_a_form(
    browser: Browser, person: Person, client: OAuthClient
) -> None:
    as_form = {"response_mode": "form_post"}
    refused = brought(client, await client.send(browser, prompt="none", **as_form))
    assert refused["error"] == "login_required"
    for wrong, error in (
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "openid made-up"}, "invalid_scope"),
        ({"request_uri": "https://app.example.com/request"}, "request_uri_not_supported"),
        ({"code_challenge": ""}, "invalid_request"),
    ):
        told = brought(client, await client.send(browser, **wrong, **as_form))
        assert (told["error"], "code" in told) == (error, False), wrong
    await sign_in(browser, person)
    page = await client.send(browser, **as_form)
    denied = brought(client, await decide(browser, page, "deny"))
    assert denied["error"] == "access_denied"
    page = await client.send(browser, **as_form)
    given = brought(client, await decide(browser, page, "approve"))
    silent = brought(client, await client.send(browser, prompt="none", **as_form))
    for answer in (given, silent):
        status, tokens = await client.call(browser, "/oauth/token", client.exchange(answer["code"]))
        assert (status, "id_token" in tokens) == (200, True), tokens


async def test_a_sign_out_that_says_nothing_but_a_state_is_asked_about(
    browser: Browser, person: Person
) -> None:
    await sign_in(browser, person)
    page = await browser.get("/oauth/logout?state=xyz")
    assert (page.status, page.heading) == (200, "Sign out?")
    assert (await browser.get("/account")).status == 200


async def test_a_session_that_has_ended_is_none_where_no_page_may_be_shown(
    browser: Browser, person: Person, client: OAuthClient
) -> None:
    """zitadel/zitadel#12165: who had signed out was shown an error in place of being sent back."""
    await sign_in(browser, person)
    stale = browser.cookies[cookies.SESSION]
    page = await browser.get("/sign-out")
    await browser.submit(page, "/sign-out")
    for session in (stale, "A" * 43, "x"):
        browser.cookies[cookies.SESSION] = session
        back = client.answer(await client.send(browser, prompt="none"))
        assert back["error"] == "login_required"


async def test_whichever_application_signs_a_person_out_it_is_the_whole_session(
    world: World, browser: Browser, person: Person, client: OAuthClient
) -> None:
    """ory/hydra#3820: the hint of the first application was worth nothing after the second's."""
    organization_id = await world.new_organization(person)
    other = await new_client(world, person, organization_id, name="Difference Engine")
    await sign_in(browser, person)
    hints = []
    for application in (client, other):
        page = await application.send(browser)
        chosen = {"organization_id": organization_id} if 'type="radio"' in page.text else {}
        back = application.answer(await decide(browser, page, "approve", **chosen))
        form = application.exchange(back["code"])
        _, tokens = await application.call(browser, "/oauth/token", form)
        hints.append(tokens["id_token"])
    query = urlencode({"id_token_hint": hints[0], "post_logout_redirect_uri": LEFT})
    answer = await browser.get(f"/oauth/logout?{query}")
    assert (answer.status, answer.location) == (303, LEFT)
    assert (await browser.get("/account")).status == 303
    for application in (client, other):
        back = application.answer(await application.send(browser, prompt="none"))
        assert back["error"] == "login_required"
