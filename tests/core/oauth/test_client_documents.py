"""Applications that describe themselves at their client_id: client ID metadata documents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from portico.oauth.v1 import authorization_service_pb2 as pb

from server.features.applications.documents import address_problem, document_id
from tests.core.applications.keys import ec_key
from tests.core.conftest import Refused
from tests.core.oauth.conftest import claims, list_grants
from tests.core.oauth.registering import (
    LOOPBACK,
    DocumentServer,
    Registry,
    document_server,
    open_registry,
)
from tests.core.world import Person, World

WEB = "https://app.example.com/callback"
BAD, UNKNOWN = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture(scope="module")
async def open_core(world: World, database_url: str, valkey_url: str) -> AsyncIterator[Registry]:
    async with open_registry(world, database_url, valkey_url) as registry:
        yield registry


@pytest.fixture
async def registry(open_core: Registry) -> Registry:
    """It takes every document."""
    await open_core.allow()
    return open_core


@pytest.fixture
async def documents() -> AsyncIterator[DocumentServer]:
    async with document_server() as server:
        yield server


def error_of(begun: pb.BeginAuthorizationResponse) -> str:
    """What the person is told: nobody is sent anywhere."""
    assert begun.WhichOneof("outcome") == "error", begun
    return f"{begun.error.error}: {begun.error.error_description}"


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example.com/client.json",
        "https://app.example.com",
        "https://app.example.com/../client.json",
        "https://app.example.com/%2E%2e/client.json",
        "https://app.example.com/a/./client.json",
        "https://user@app.example.com/client.json",
        "https://user:secret@app.example.com/client.json",
        "https://app.example.com/client.json#part",
        "https://app.example.com/client.json?a=b",
        "https://App.example.com/client.json",
        "https://app.example.com:443/client.json",
        "https://app.example.com\\@evil.example/client.json",
        "https://app.example.com/cli ent.json",
        "https://app.example.com/" + "x" * 2000,
        "https:///client.json",
    ],
)
def test_what_is_no_client_id_is_not_fetched(url: str) -> None:
    assert address_problem(url)


def test_an_address_has_one_id() -> None:
    one = "https://app.example.com/client.json"
    assert not address_problem(one)
    assert not address_problem("https://app.example.com:8443/")
    assert document_id(one) == document_id(one)
    assert document_id(one) != document_id("https://app.example.com/client2.json")
    assert document_id(one).version == 8


async def test_a_person_lets_it_in_and_the_owner_sees_it(
    registry: Registry, documents: DocumentServer, stranger: Person
) -> None:
    url = documents.publish("client.json", client_name="Editor", logo_uri="https://cdn.example/l")
    app = registry.app(url)
    begun = (await app.begin()).authorization.client
    assert (begun.client_id, begun.name, begun.origin) == (url, "Editor", "document")
    assert begun.document_host == documents.base.removeprefix("http://")
    # A logo of another host is allowed: editors have theirs at such.
    assert begun.logo_uri == "https://cdn.example/l"
    assert url not in {each.metadata_document for each in await registry.listed()}
    tokens = await app.signed_in(stranger, scope="openid offline_access projects:read")
    assert claims(tokens.access_token)["client_id"] == url
    assert claims(tokens.id_token)["aud"] == url
    assert (await app.refresh(tokens.refresh_token)).access_token
    grant = (await list_grants(registry.world, stranger))[0]
    assert (grant.client_id, grant.application_name) == (url, "Editor")
    listed = {each.metadata_document: each for each in await registry.listed()}
    assert (listed[url].origin, listed[url].name) == ("document", "Editor")
    # It was fetched once for all of this.
    assert documents.asked == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "https://app.example.com/client.json"},
        {"client_id": None},
        {"client_name": None},
        {"redirect_uris": None},
        {"client_secret": "chosen"},
        {"client_secret_expires_at": 0},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"grant_types": ["client_credentials"]},
        {"redirect_uris": ["http://app.example.com/callback"]},
        {"scope": "users:write"},
    ],
)
async def test_a_document_that_cannot_be_used_is_told_the_person(
    registry: Registry, documents: DocumentServer, changes: dict[str, Any]
) -> None:
    url = documents.publish("client.json", **changes)
    assert error_of(await registry.app(url).begin()).startswith("invalid_client: ")


@pytest.mark.parametrize(
    ("content", "changes", "said"),
    [
        ("not json", {}, "no JSON"),
        ("[]", {}, "no JSON object"),
        ("null", {}, "no JSON object"),
        ("[" * 20_000, {}, "larger than 16 KiB"),
        ("[" * 10_000, {}, "no JSON"),
        ("{}", {"content_type": "text/plain"}, "not sent as application/json"),
        ("{}", {"content_type": "text/html"}, "not sent as application/json"),
        ("{}", {"status": 500}, "answered with 500"),
        ("{}", {"status": 404}, "answered with 404"),
        ("{}", {"status": 302, "headers": {"location": LOOPBACK}}, "redirect"),
    ],
    ids=range(10),
)
async def test_what_is_no_document_is_told_the_person(
    registry: Registry,
    documents: DocumentServer,
    content: str,
    changes: dict[str, Any],
    said: str,
) -> None:
    url = documents.publish("client.json")
    documents.documents["client.json"] = content
    for name, value in changes.items():
        setattr(documents, name, value)
    assert said in error_of(await registry.app(url).begin())
    # Whoever comes within half a minute does not have it fetched once more.
    await registry.app(url).begin()
    assert documents.asked == 1


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1.nip.invalid/c.json", "https://10.0.0.1/c.json", "https://[fd00::1]/c"],
)
async def test_a_private_address_is_not_asked(registry: Registry, url: str) -> None:
    assert "document at the client_id cannot be fetched" in error_of(
        await registry.app(url).begin()
    )


async def test_the_policy_says_whose_documents_are_taken(
    registry: Registry, documents: DocumentServer
) -> None:
    url = documents.publish("client.json")
    for policy in ({"documents": "off"}, {"documents": "listed", "document_hosts": ["a.example"]}):
        await registry.allow(**policy)
        assert error_of(await registry.app(url).begin()).startswith("invalid_client")
    assert documents.asked == 0
    await registry.allow(documents="listed", document_hosts=["127.0.0.1"])
    assert (await registry.app(url).begin()).WhichOneof("outcome") == "authorization"


async def test_without_an_organization_for_them_none_is_taken(
    world: World, documents: DocumentServer
) -> None:
    app = Registry(world, Person("", "", "", "", ""), "").app(documents.publish("client.json"))
    assert error_of(await app.begin()).startswith("invalid_client")
    assert documents.asked == 0


async def test_redirects_are_compared_exactly_but_for_the_port_of_this_machine(
    registry: Registry, documents: DocumentServer
) -> None:
    url = documents.publish("client.json", redirect_uris=["http://localhost/callback", WEB])
    app = registry.app(url)
    for good in ("http://localhost:5123/callback", "http://localhost/callback", WEB):
        assert (await app.begin(redirect_uri=good)).WhichOneof("outcome") == "authorization", good
    for bad in ("http://127.0.0.1:5123/callback", f"{WEB}/", f"{WEB}?a=b", "https://evil.example/"):
        assert error_of(await app.begin(redirect_uri=bad)).startswith("invalid_request"), bad


async def test_a_code_for_where_the_document_sends_nobody_any_more_is_refused(
    registry: Registry, documents: DocumentServer, stranger: Person, refused: Refused
) -> None:
    url = documents.publish("client.json", redirect_uris=[WEB])
    app, clock = registry.app(url, WEB), registry.world.clock
    await app.begin()
    documents.publish("client.json", redirect_uris=["https://other.example.com/callback"])
    # For five minutes it counts as it was.
    with clock.later(timedelta(minutes=4, seconds=30)):
        code = await app.code(stranger)
    with clock.later(timedelta(minutes=5, seconds=10)):
        await refused(app.exchange(code), BAD, "OAUTH_INVALID_GRANT")
        assert error_of(await app.begin()).startswith("invalid_request")


async def test_a_changed_place_is_asked_about_once_more(
    registry: Registry, documents: DocumentServer, stranger: Person
) -> None:
    url = documents.publish("client.json", redirect_uris=[WEB], scope="openid projects:read")
    app = registry.app(url, WEB)
    await app.signed_in(stranger)
    assert (await app.ask(stranger)).next == "approve"
    moved = "https://moved.example.com/callback"
    documents.publish("client.json", redirect_uris=[WEB, moved], scope="openid projects:read")
    with registry.world.clock.later(timedelta(minutes=6)):
        asked = await app.ask(await registry.world.sign_in(stranger.email), redirect_uri=moved)
        assert asked.next == "consent"


async def test_tokens_outlive_an_hour_in_which_the_document_cannot_be_reached(
    registry: Registry, documents: DocumentServer, stranger: Person, refused: Refused
) -> None:
    url = documents.publish("client.json")
    app = registry.app(url)
    tokens = await app.signed_in(stranger, scope="openid offline_access projects:read")
    documents.status = 503
    with registry.world.clock.later(timedelta(minutes=10)):
        tokens = await app.refresh(tokens.refresh_token)
        # Nobody new is let in meanwhile.
        assert "answered with 503" in error_of(await app.begin())
    # A document that is another's is not out of reach: it is not this client.
    documents.status = 200
    documents.publish("client.json", client_id="https://evil.example/client.json")
    with registry.world.clock.later(timedelta(minutes=20)):
        await refused(app.refresh(tokens.refresh_token), UNKNOWN, "OAUTH_INVALID_CLIENT")


async def test_one_that_is_disabled_gets_nothing(
    registry: Registry, documents: DocumentServer, stranger: Person, refused: Refused
) -> None:
    url = documents.publish("client.json")
    app = registry.app(url)
    tokens = await app.signed_in(stranger, scope="openid offline_access projects:read")
    await registry.set_enabled(str(document_id(url)), False)
    await refused(app.refresh(tokens.refresh_token), UNKNOWN, "OAUTH_INVALID_CLIENT")
    assert error_of(await app.begin()).startswith("invalid_client")


async def test_its_id_here_is_no_client_id(
    registry: Registry, documents: DocumentServer, stranger: Person, refused: Refused
) -> None:
    url = documents.publish("client.json")
    await registry.app(url).signed_in(stranger)
    other = registry.app(str(document_id(url)))
    assert error_of(await other.begin()).startswith("invalid_client")
    await refused(other.exchange("a code"), UNKNOWN, "OAUTH_INVALID_CLIENT")


async def test_many_who_agree_at_once_make_one_application(
    registry: Registry, documents: DocumentServer, stranger: Person, owner: Person
) -> None:
    url = documents.publish("client.json")
    app = registry.app(url)
    people = [stranger, owner, await registry.world.new_person()]
    codes = await asyncio.gather(*(app.code(each, scope="openid") for each in people))
    assert len({*codes}) == 3
    rows = [each for each in await registry.listed() if each.metadata_document == url]
    assert len(rows) == 1
    assert documents.asked == 1


@pytest.mark.parametrize("choices", [False, True])
async def test_it_may_authenticate_with_a_key(
    registry: Registry, documents: DocumentServer, choices: bool
) -> None:
    key = ec_key()
    method: dict[str, Any] = {"token_endpoint_auth_method": "private_key_jwt"}
    if choices:
        # RP Metadata Choices: how a widely used client says what it can do.
        method = {
            "token_endpoint_auth_method": None,
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "none"],
        }
    url = documents.publish(
        "client.json", redirect_uris=[WEB], jwks={"keys": [key.public]}, **method
    )
    begun = await registry.app(url, WEB).begin()
    assert begun.WhichOneof("outcome") == "authorization"


@pytest.mark.parametrize(
    ("control", "minutes", "asked"),
    [
        ("", 4, 1),
        ("", 6, 2),
        ("no-store", 4, 1),
        ("max-age=1", 4, 1),
        ("max-age=3600", 59, 1),
        ("max-age=3600", 61, 2),
        ("max-age=999999999", 24 * 60 + 1, 2),
    ],
)
async def test_it_is_kept_as_it_says_within_bounds(
    registry: Registry, documents: DocumentServer, control: str, minutes: int, asked: int
) -> None:
    documents.headers = {"cache-control": control} if control else {}
    url = documents.publish("client.json")
    await registry.app(url).begin()
    with registry.world.clock.later(timedelta(minutes=minutes)):
        await registry.app(url).begin()
    assert documents.asked == asked
