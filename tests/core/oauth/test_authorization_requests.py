"""What an authorization request may say, and who hears of it if it may not.

Whoever cannot be trusted is sent nobody; every other refusal goes to the application, by the
name that the standards have for it, with the issuer's name (RFC 9207).
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta

import grpc
import pytest
from sqlalchemy import text

from tests.core.applications.conftest import ISSUER, REDIRECT, ApplicationClient
from tests.core.conftest import Refused
from tests.core.oauth.conftest import App, claims, new_app, said
from tests.core.world import Person, World


async def test_a_good_request_can_be_put_before_a_person(app: App) -> None:
    begun = await app.begin(login_hint="ada@example.com", ui_locales="de en", max_age="60")
    shown = begun.authorization
    assert [(scope.name, scope.description) for scope in shown.scopes] == [
        ("openid", "Know that it is you."),
        ("projects:read", "See the organization's projects."),
    ]
    assert (shown.client.name, shown.client.redirect_host) == ("an application", "app.example.com")
    assert (shown.login_hint, shown.max_age, list(shown.ui_locales)) == (
        "ada@example.com",
        60,
        ["de", "en"],
    )
    assert shown.needs_organization


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "unknown"},
        {"client_id": "01a217f4-323a-755f-b717-0876eaadcc06"},
        {"redirect_uri": None},
        {"redirect_uri": "https://attacker.example/callback"},
        {"redirect_uri": f"{REDIRECT}/"},
        {"redirect_uri": f"{REDIRECT}?next=x"},
        {"redirect_uri": f"{REDIRECT}#fragment"},
        {"redirect_uri": REDIRECT.upper()},
        {"redirect_uri": REDIRECT.replace("https", "http")},
        {"redirect_uri": REDIRECT.replace("app.", "app.example.com@")},
        {"redirect_uri": REDIRECT.replace(".com/", ".com:443/")},
        {"redirect_uri": REDIRECT.replace("/callback", "/x/../callback")},
        {"redirect_uri": "javascript:alert(1)"},
    ],
    ids=str,
)
async def test_nobody_is_sent_to_an_address_that_is_not_trusted(
    app: App, changes: dict[str, str | None]
) -> None:
    begun = await app.begin(**changes)
    assert begun.WhichOneof("outcome") == "error"
    assert begun.error.error in ("invalid_client", "invalid_request")


@pytest.mark.parametrize("twice", ["client_id", "redirect_uri"])
async def test_nobody_is_sent_anywhere_if_it_is_there_twice(app: App, twice: str) -> None:
    parameters = [*app.parameters(), (twice, dict(app.parameters())[twice])]
    assert (await app.begin_with(parameters)).WhichOneof("outcome") == "error"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": "none"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "too-short"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "openid keys:write"}, "invalid_scope"),
        ({"scope": "openid made-up"}, "invalid_scope"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "sing"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"request_uri": "https://app.example.com/request"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"id_token_hint": "eyJ"}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"claims": "[]"}, "invalid_request"),
        ({"claims": '{"id_token": 1}'}, "invalid_request"),
        ({"claims": "[" * 8000}, "invalid_request"),
        ({"claims": '{"id_token": {"acr": {"values": [1]}}}'}, "invalid_request"),
        ({"response_mode": "web_message"}, "invalid_request"),
        ({"nonce": "n" * 1025}, "invalid_request"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_the_application_hears_what_is_wrong(
    app: App, changes: dict[str, str | None], error: str
) -> None:
    begun = await app.begin(**changes)
    assert begun.WhichOneof("outcome") == "response"
    assert begun.response.redirect_uri == REDIRECT
    answer = said(begun.response)
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "a state", ISSUER)
    assert answer["error_description"]


@pytest.mark.parametrize("twice", ["state", "scope", "response_type", "code_challenge", "made_up"])
async def test_a_parameter_that_is_there_twice_is_refused(app: App, twice: str) -> None:
    value = dict(app.parameters(made_up="x"))[twice]
    parameters = [*app.parameters(made_up="x"), (twice, value)]
    answer = said((await app.begin_with(parameters)).response)
    assert answer["error"] == "invalid_request"
    # Of two states none is the application's.
    assert ("state" in answer) == (twice != "state")


async def test_a_resource_may_be_named_more_than_once(app: App) -> None:
    parameters = [*app.parameters(), ("resource", ISSUER), ("resource", f"{ISSUER}/")]
    begun = await app.begin_with(parameters)
    assert list(begun.authorization.resource) == [ISSUER]


async def test_a_parameter_that_nobody_knows_is_ignored(app: App) -> None:
    assert (await app.begin(made_up="x")).HasField("authorization")


async def test_a_parameter_without_a_value_counts_as_absent(app: App) -> None:
    assert (await app.begin(prompt="", max_age="", made_up="")).HasField("authorization")


async def test_without_a_scope_the_application_gets_all_of_its_own(app: App) -> None:
    """As clients of MCP ask that name none."""
    shown = (await app.begin(scope=None)).authorization
    assert {scope.name for scope in shown.scopes} == {
        "openid",
        "profile",
        "email",
        "offline_access",
        "projects:read",
        "organization:read",
    }


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
async def test_the_response_is_given_as_it_was_asked_for(app: App, mode: str) -> None:
    refused = (await app.begin(response_mode=mode, scope="made-up")).response
    assert refused.response_mode == mode


async def test_an_application_without_the_grant_gets_no_code(world: World, app: App) -> None:
    async with world.engine.begin() as db:
        statement = text("update applications set grant_types = '{refresh_token}' where id = :id")
        await db.execute(statement, {"id": app.client_id})
    begun = await app.begin()
    assert said(begun.response)["error"] == "unauthorized_client"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
async def test_the_port_of_a_native_application_is_free(
    application_client: ApplicationClient, owner: Person, host: str
) -> None:
    app = await new_app(application_client, "native", redirect_uris=[f"http://{host}/callback"])
    listening = replace(app, redirect_uri=f"http://{host}:51004/callback")
    issued = await listening.signed_in(owner)
    assert issued.access_token
    for other in (f"http://{host}:51004/other", f"https://{host}:51004/callback"):
        assert (await replace(app, redirect_uri=other).begin()).HasField("error")


async def test_a_private_use_scheme_is_shown_as_where_the_answer_goes(
    application_client: ApplicationClient,
) -> None:
    app = await new_app(application_client, "native", redirect_uris=["com.example.app:/callback"])
    assert (await app.begin()).authorization.client.redirect_host == "com.example.app"


async def test_a_request_is_good_for_an_hour(
    world: World, owner: Person, app: App, refused: Refused
) -> None:
    request_id = await app.request_id()
    with world.clock.later(timedelta(minutes=59)):
        person = await world.sign_in(owner.email)
        assert (await app.ask_again(person, request_id)).next == "consent"
    with world.clock.later(timedelta(minutes=61)):
        person = await world.sign_in(owner.email)
        expired = (grpc.StatusCode.FAILED_PRECONDITION, "AUTHORIZATION_EXPIRED")
        await refused(app.ask_again(person, request_id), *expired)
        await refused(app.approve(person, request_id), *expired)


async def test_a_request_that_somebody_changed_is_none(
    owner: Person, app: App, refused: Refused
) -> None:
    request_id = await app.request_id()
    forged = base64.urlsafe_b64encode(json.dumps({"client_id": app.client_id}).encode()).decode()
    for changed in (request_id[:-4] + "AAAA", forged, "x", "é"):
        attempt = app.ask_again(owner, changed)
        await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "AUTHORIZATION_EXPIRED")


async def test_an_id_token_that_has_expired_is_still_a_hint(
    world: World, owner: Person, app: App, stranger: Person
) -> None:
    hint = (await app.signed_in(owner)).id_token
    with world.clock.later(timedelta(hours=2)):
        person, other = await world.sign_in(owner.email), await world.sign_in(stranger.email)
        assert (await app.ask(person, id_token_hint=hint)).next == "approve"
        assert (await app.ask(other, id_token_hint=hint)).next == "sign_in"
        answer = await app.ask(other, id_token_hint=hint, prompt="none")
        assert said(answer.response)["error"] == "login_required"


async def test_a_token_that_is_no_id_token_of_this_application_is_no_hint(
    application_client: ApplicationClient, owner: Person, app: App
) -> None:
    other = await new_app(application_client)
    issued = await other.signed_in(owner)
    for hint in (issued.id_token, issued.access_token, owner.access_token):
        assert said((await app.begin(id_token_hint=hint)).response)["error"] == "invalid_request"


async def test_the_person_is_the_one_whom_the_claims_ask_for(
    owner: Person, app: App, stranger: Person
) -> None:
    asked = json.dumps({"id_token": {"sub": {"value": owner.id}}})
    assert (await app.ask(owner, claims=asked)).next == "consent"
    assert (await app.ask(stranger, claims=asked)).next == "sign_in"


async def test_two_applications_of_different_sites_know_a_person_by_different_names(
    world: World, application_client: ApplicationClient, owner: Person
) -> None:
    """If they ask for pairwise names."""
    one = await new_app(application_client)
    same = await new_app(application_client)
    other = await new_app(application_client, redirect_uris=["https://other.example/callback"])
    async with world.engine.begin() as db:
        await db.execute(
            text("update applications set subject_type = 'pairwise' where id = any(:ids)"),
            {"ids": [one.client_id, same.client_id, other.client_id]},
        )
    names = []
    for app in (one, same, other):
        issued = await app.signed_in(owner, scope="openid")
        subject = claims(issued.id_token)["sub"]
        assert subject == claims(issued.access_token)["sub"]
        assert subject == (await app.user_info(issued.access_token)).sub
        assert subject == (await app.introspect(issued.access_token)).sub
        names.append(subject)
    assert names[0] == names[1]
    assert len({owner.id, names[0], names[2]}) == 3
