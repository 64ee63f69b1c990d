"""Token exchange on the wire (RFC 8693): a form, and the answer under the standard's names."""

from __future__ import annotations

import pytest

from tests.core.world import Person, World
from tests.web.browser import Browser
from tests.web.conftest import sign_in
from tests.web.oauth_client import OAuthClient, decide, new_client, settled

TOKEN = "/oauth/token"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture
async def organization_id(world: World, person: Person) -> str:
    """The person's organization."""
    return await world.new_organization(person)


@pytest.fixture
async def service(world: World, person: Person, organization_id: str) -> OAuthClient:
    """A service of it."""
    grant_types = ["authorization_code", "refresh_token", GRANT_TYPE]
    return await new_client(world, person, organization_id, grant_types=grant_types)


@pytest.fixture
async def subject_token(
    browser: Browser, world: World, person: Person, organization_id: str, service: OAuthClient
) -> str:
    """An access token of the person, of an application that lets the service exchange it."""
    client = await new_client(
        world, person, organization_id, token_exchange_client_ids=[service.client_id]
    )
    await sign_in(browser, person)
    page = await settled(browser, await client.send(browser))
    back = client.answer(await decide(browser, page, "approve"))
    _, tokens = await client.call(browser, TOKEN, client.exchange(back["code"]))
    return str(tokens["access_token"])


def exchange(subject_token: str, **fields: str) -> dict[str, str]:
    """The form that exchanges a token."""
    right = {
        "grant_type": GRANT_TYPE,
        "subject_token": subject_token,
        "subject_token_type": ACCESS_TOKEN,
    }
    return right | fields


async def test_a_token_is_exchanged(
    browser: Browser, service: OAuthClient, subject_token: str
) -> None:
    form = exchange(subject_token, requested_token_type=ACCESS_TOKEN, scope="projects:read")
    status, given = await service.call(browser, TOKEN, form)
    assert status == 200, given
    assert given.pop("access_token").count(".") == 2
    assert 0 < given.pop("expires_in") <= 900
    assert given == {
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "scope": "projects:read",
    }


async def test_introspection_says_who_acts(
    browser: Browser, service: OAuthClient, subject_token: str
) -> None:
    _, given = await service.call(browser, TOKEN, exchange(subject_token))
    token = {"token": given["access_token"]}
    _, said = await service.call(browser, "/oauth/introspect", token)
    assert said["act"] == {"sub": service.client_id}
    _, said = await service.call(browser, "/oauth/introspect", {"token": subject_token})
    assert "act" not in said


async def test_every_refusal_has_the_name_of_the_standard(
    browser: Browser, service: OAuthClient, subject_token: str
) -> None:
    """Keycloak 49435: a parameter that was too long was dropped, and the request went on."""
    wrong = {
        "invalid_request": [
            exchange(""),
            exchange("made-up"),
            exchange("x" * 20_000),
            exchange(subject_token, subject_token_type=""),
            exchange(subject_token, subject_token_type="urn:ietf:params:oauth:token-type:saml2"),
            exchange(subject_token, actor_token_type=ACCESS_TOKEN),
        ],
        "invalid_target": [exchange(subject_token, audience="https://other.example")],
        "invalid_scope": [exchange(subject_token, scope="projects:read keys:write")],
        "unsupported_grant_type": [
            exchange(subject_token, grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer")
        ],
    }
    for error, forms in wrong.items():
        for form in forms:
            status, answer = await service.call(browser, TOKEN, form)
            assert (status, answer["error"]) == (400, error), form
