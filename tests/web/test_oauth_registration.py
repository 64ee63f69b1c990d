"""How applications register themselves on the wire: what RFC 7591 and RFC 7592 say of HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from edge.web.main import pages
from edge.web.oauth.errors import OAuthError
from edge.web.oauth.registration import read_token
from edge.web.settings import WebSettings
from tests.core.oauth.registering import LOOPBACK, MCP_CLIENT, Registry, open_registry
from tests.core.world import INTERNAL_TOKEN, Person, World
from tests.web.browser import Browser, PageAnswer
from tests.web.conftest import sign_in
from tests.web.oauth_client import OAuthClient

REGISTER = "/oauth/register"
ISSUER = "https://id.example.com"


@pytest.fixture(scope="module")
async def open_core(
    world: World, web_database_url: str, valkey_url: str
) -> AsyncIterator[Registry]:
    async with open_registry(world, web_database_url, valkey_url) as registry:
        yield registry


@pytest.fixture
async def registry(open_core: Registry) -> Registry:
    await open_core.allow()
    return open_core


@pytest.fixture(scope="module")
async def open_socket(open_core: Registry) -> AsyncIterator[Path]:
    """The pages in front of the core that takes applications."""
    settings = WebSettings(
        runtime_dir=open_core.world.runtime_dir,
        internal_token=SecretStr(INTERNAL_TOKEN),
        public_url=ISSUER,
        registration_organization=UUID(open_core.organization_id),
    )
    async with pages(settings):
        yield settings.web_socket


@pytest.fixture
async def program(registry: Registry, open_socket: Path) -> AsyncIterator[Browser]:
    browser = Browser(open_socket)
    yield browser
    await browser.close()


async def send(
    program: Browser, verb: str, path: str, data: str | bytes = b"", **headers: str
) -> PageAnswer:
    """One request in JSON; headers are named with underscores."""
    given = {"Content-Type": "application/json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await program.send(verb, path, data.encode() if isinstance(data, str) else data, given)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_registration_is_made_read_changed_and_deleted(program: Browser) -> None:
    made = await send(program, "POST", REGISTER, data=json.dumps(MCP_CLIENT))
    assert (made.status, made.headers["Cache-Control"]) == (201, "no-store")
    assert made.headers["Content-Type"].startswith("application/json")
    shown = json.loads(made.body)
    where, token = shown["registration_client_uri"], shown["registration_access_token"]
    assert where.startswith(f"{ISSUER}/oauth/register/client?client_id=")
    path = where.removeprefix(ISSUER)
    read = await send(program, "GET", path, **bearer(token))
    assert (read.status, json.loads(read.body)) == (200, shown)
    changed = json.dumps({**MCP_CLIENT, "client_id": shown["client_id"], "client_name": "New"})
    update = await send(program, "PUT", path, **bearer(token), data=changed)
    assert (update.status, json.loads(update.body)["client_name"]) == (200, "New")
    gone = await send(program, "DELETE", path, **bearer(token))
    assert (gone.status, gone.body) == (204, b"")
    after = await send(program, "GET", path, **bearer(token))
    assert after.status == 401
    assert after.headers["WWW-Authenticate"] == 'Bearer realm="portico", error="invalid_token"'
    assert json.loads(after.body)["error"] == "invalid_token"


async def test_without_a_token_it_is_asked_for_one(registry: Registry, program: Browser) -> None:
    await registry.allow("token")
    answer = await send(program, "POST", REGISTER, data=json.dumps(MCP_CLIENT))
    assert (answer.status, json.loads(answer.body)["error"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="portico"'
    token = await registry.initial_token()
    answer = await send(program, "POST", REGISTER, data=json.dumps(MCP_CLIENT), **bearer(token))
    assert answer.status == 201


@pytest.mark.parametrize(
    ("body", "content_type", "status", "error"),
    [
        ("{", "application/json", 400, "invalid_client_metadata"),
        ("[]", "application/json", 400, "invalid_client_metadata"),
        (b"\xff{}", "application/json", 400, "invalid_client_metadata"),
        ("a=b", "application/x-www-form-urlencoded", 400, "invalid_client_metadata"),
        ("{}", "text/json", 400, "invalid_client_metadata"),
        ('{"a": "' + "x" * 66_000 + '"}', "application/json", 413, "invalid_client_metadata"),
        (
            '{"redirect_uris": ["http://a.example/"]}',
            "application/json; charset=utf-8",
            400,
            "invalid_redirect_uri",
        ),
    ],
    ids=range(7),
)
async def test_a_refusal_has_the_name_of_the_standard(
    program: Browser, body: Any, content_type: str, status: int, error: str
) -> None:
    answer = await send(program, "POST", REGISTER, data=body, Content_Type=content_type)
    assert (answer.status, json.loads(answer.body)["error"]) == (status, error)
    assert answer.headers["Cache-Control"] == "no-store"
    assert json.loads(answer.body)["error_description"].isascii()


async def test_discovery_names_what_clients_look_for(program: Browser) -> None:
    for path in ("oauth-authorization-server", "openid-configuration"):
        document = json.loads((await program.get(f"/.well-known/{path}")).body)
        assert document["registration_endpoint"] == f"{ISSUER}/oauth/register"
        assert document["client_id_metadata_document_supported"] is True


async def test_the_person_reads_that_nobody_has_verified_the_name(
    registry: Registry, program: Browser
) -> None:
    made = await registry.register(client_name="<b>Bank</b>")
    person: Person = await registry.world.new_person()
    await registry.world.new_organization(person)
    await sign_in(program, person)
    page = await OAuthClient(made.client_id, redirect_uri=LOOPBACK).send(program)
    assert page.status == 200, page.text
    assert "&lt;b&gt;Bank&lt;/b&gt; asks for access" in page.text
    assert 'id="origin"' in page.text
    assert 'id="local"' in page.text
    assert "An application of" not in page.text


@pytest.mark.parametrize("given", ["Basic YTpi", "Bearer", "Bearer ", "Bearer \u00e9", "x"])
def test_what_is_no_bearer_token_is_refused(given: str) -> None:
    with pytest.raises(OAuthError) as caught:
        read_token({"Authorization": given})
    assert caught.value.error == "invalid_token"
