"""What clients, and those who pass for one, send that is made to break or to mislead.

The numbers are those of public reports about other authorization servers.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import grpc
import pytest

from tests.core.applications.conftest import ApplicationClient
from tests.core.conftest import Refused
from tests.core.oauth.conftest import App, claims, said
from tests.core.world import Person

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
# Deeper than any reader of JSON follows.
DEEP = "[" * 3_000
DEEP_TOKEN = ".".join(
    base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (DEEP, DEEP, "x")
)
DEEP_CLAIMS = ".".join(
    base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")
    for part in ('{"alg":"ES256","typ":"at+jwt","kid":"a"}', DEEP, "x")
)


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", 'x"\r\nSet-Cookie: a=b', "call us at 0800", "é", "state"]
)
async def test_an_error_repeats_nothing_that_the_request_made_up(app: App, name: str) -> None:
    """RFC 6749, section 4.1.2.1: what a description may hold; the application shows it."""
    answer = said((await app.begin_with([*app.parameters(), (name, "1"), (name, "2")])).response)
    assert answer["error"] == "invalid_request"
    description = answer["error_description"]
    assert name not in description or name == "state"
    assert all(" " <= letter <= "~" and letter not in '"\\' for letter in description)


@pytest.mark.parametrize("hint", [DEEP_TOKEN, DEEP_CLAIMS, "a.b.c", "\ud7ff.é.x", "." * 1000])
async def test_a_hint_that_is_none_is_an_error_of_the_request(app: App, hint: str) -> None:
    answer = said((await app.begin(id_token_hint=hint)).response)
    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize(
    "acr",
    [
        {"values": ["\ud800"], "essential": True},
        {"value": "\udfff"},
        {"values": [1e999]},
        {"values": {"a": 1}},
        {"value": None},
        {"values": ["x" * 8000]},
    ],
)
async def test_claims_that_are_no_text_are_an_error_of_the_request(
    app: App, acr: dict[str, Any]
) -> None:
    answer = await app.begin(claims=json.dumps({"id_token": {"acr": acr}}))
    assert answer.WhichOneof("outcome") in ("response", "authorization")


@pytest.mark.parametrize("token", [DEEP_TOKEN, DEEP_CLAIMS, "a.b.c", "é.b.c"])
async def test_what_is_no_token_is_not_active_and_nobodys(
    app: App, refused: Refused, token: str
) -> None:
    assert not await app.is_active(token)
    await app.revoke(token)
    await refused(app.user_info(token), UNAUTHENTICATED, "OAUTH_INVALID_TOKEN")


@pytest.mark.parametrize("assertion", [DEEP_TOKEN, DEEP_CLAIMS, "a.b.c"])
async def test_an_assertion_that_is_none_proves_nothing(
    app: App, refused: Refused, assertion: str
) -> None:
    for client_id in (app.client_id, ""):
        client = type(app.credentials)(
            client_id=client_id,
            method="private_key_jwt",
            client_assertion=assertion,
            client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        )
        attempt = app.issue("client_credentials", client=client)
        await refused(attempt, UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")


async def test_what_an_application_may_ask_no_more_it_gets_no_more(
    owner: Person, app: App, application_client: ApplicationClient
) -> None:
    """Nor does what it is given say so: of a code, and of a refresh token."""
    scope = "openid email offline_access projects:read"
    claim = json.dumps({"id_token": {"email": None}})
    before = await app.signed_in(owner, scope=scope, claims=claim)
    assert "email" in claims(before.id_token)
    code = await app.code(owner, scope=scope, claims=claim)
    await application_client.update(app.client_id, scopes=["openid", "offline_access"])
    for issued in (await app.exchange(code), await app.refresh(before.refresh_token)):
        assert set(issued.scope.split()) == {"openid", "offline_access"}
        assert set(claims(issued.access_token)["scope"].split()) == {"openid", "offline_access"}
        assert "email" not in claims(issued.id_token)
    introspected = await app.introspect(before.access_token)
    assert set(introspected.scope.split()) == {"openid", "offline_access"}


async def test_a_narrowed_refresh_token_grows_back_to_what_was_given_and_no_further(
    owner: Person, app: App, refused: Refused
) -> None:
    """RFC 6749, section 6: the scope of the refresh token stays that of the authorization."""
    first = await app.signed_in(owner, scope="openid email projects:read")
    narrow = await app.refresh(first.refresh_token, scope="projects:read")
    assert (narrow.scope, narrow.id_token) == ("projects:read", "")
    attempt = app.refresh(narrow.refresh_token, scope="openid profile")
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "OAUTH_INVALID_SCOPE")
    assert "email" in (await app.refresh(narrow.refresh_token)).scope


async def test_a_hint_about_one_person_says_nothing_of_another(
    owner: Person, app: App, stranger: Person
) -> None:
    """Silent requests with the ID token of somebody else, or of another session's person."""
    hint = (await app.signed_in(owner)).id_token
    answer = said((await app.ask(stranger, id_token_hint=hint, prompt="none")).response)
    assert answer["error"] == "login_required"
    assert "code" not in answer
