"""An owner names an address or a host, and WebFinger says which issuer is responsible for it."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from server.common.outbound_addresses import AddressPolicy
from server.features.connections.oidc.http import ProviderClient
from server.features.connections.oidc.webfinger import WebFinger
from tests.core.conftest import Refused
from tests.core.connections.clients import create
from tests.core.connections.front_end import FrontEnd, signed_in
from tests.core.connections.provider import Provider, listening
from tests.core.world import Person, World

INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")


@pytest.fixture
def registering(provider: Provider) -> Provider:
    """A provider at which clients register themselves."""
    provider.registers = True
    return provider


async def test_oidcc_client_test_discovery_webfinger_acct(
    world: World, administrator: Person, registering: Provider, front_end: FrontEnd
) -> None:
    host = registering.base.removeprefix("http://")
    connection = await create(world, administrator, identifier=f"ada+1&x@{host}")
    assert connection.issuer == registering.issuer
    assert registering.resources == [f"acct:ada+1&x@{host}"]
    assert signed_in(await front_end.sign_in_at(registering, connection.id))


@pytest.mark.parametrize("path", ["/ada", ""])
async def test_oidcc_client_test_discovery_webfinger_url(
    path: str, world: World, administrator: Person, registering: Provider, front_end: FrontEnd
) -> None:
    identifier = f"{registering.base}{path}"
    connection = await create(world, administrator, identifier=identifier)
    assert connection.issuer == registering.issuer
    assert registering.resources == [identifier]
    assert signed_in(await front_end.sign_in_at(registering, connection.id))


async def test_a_host_alone_will_do(
    world: World, administrator: Person, registering: Provider
) -> None:
    host = registering.base.removeprefix("http://")
    connection = await create(world, administrator, identifier=host)
    assert connection.issuer == registering.issuer


async def test_the_issuer_can_be_elsewhere_but_must_say_the_same_of_itself(
    world: World, administrator: Person, registering: Provider, refused: Refused
) -> None:
    def other(document: dict[str, Any]) -> None:
        document["links"][-1]["href"] = f"{registering.base}/other"

    registering.webfinger = other
    call = create(world, administrator, identifier=f"ada@{registering.base[7:]}")
    assert (await refused(call, *INVALID)).fields == ("issuer",)


def _no_link(document: dict[str, Any]) -> None:
    del document["links"][-1]


def _no_links(document: dict[str, Any]) -> None:
    document["links"] = "none"


def _strange_link(document: dict[str, Any]) -> None:
    document["links"] = [None, 7, {"rel": "http://openid.net/specs/connect/1.0/issuer"}]


def _inside(document: dict[str, Any]) -> None:
    document["links"][-1]["href"] = "http://169.254.169.254/latest"


def _a_file(document: dict[str, Any]) -> None:
    document["links"][-1]["href"] = "file:///etc/passwd"


def _with_query(document: dict[str, Any]) -> None:
    document["links"][-1]["href"] += "?tenant=other"


STRANGE = [_no_link, _no_links, _strange_link, _inside, _a_file, _with_query]


@pytest.mark.parametrize("alter", STRANGE)
async def test_a_strange_answer_names_no_issuer(
    alter: Any, world: World, administrator: Person, registering: Provider, refused: Refused
) -> None:
    registering.webfinger = alter
    call = create(world, administrator, identifier=f"ada@{registering.base[7:]}")
    refusal = await refused(call, *INVALID)
    assert (refusal.fields, refusal.reasons) == (("identifier",), ("NO_ISSUER",))
    assert registering.registrations == []


WRONG = ["@", "ada@", "@host", "", " ", "ada@host/path", "ftp://host/ada", "http://a:b@host/"]


@pytest.mark.parametrize("identifier", WRONG)
def test_what_stands_for_nobody_is_refused(identifier: str) -> None:
    with pytest.raises(ValueError, match="it is no"):
        _webfinger(allow_loopback=True).resource(identifier)


RESOURCES = {
    "ada@example.com": ("acct:ada@example.com", "https://example.com"),
    "acct:ada@example.com": ("acct:ada@example.com", "https://example.com"),
    "ada@example.com@other.org": ("acct:ada@example.com@other.org", "https://other.org"),
    "example.com": ("https://example.com", "https://example.com"),
    "example.com:8443": ("https://example.com:8443", "https://example.com:8443"),
    "https://example.com/ada#x": ("https://example.com/ada", "https://example.com"),
    "127.0.0.1:1": ("https://127.0.0.1:1", "https://127.0.0.1:1"),
}


@pytest.mark.parametrize("identifier", RESOURCES)
def test_an_identifier_stands_for_a_resource_of_a_host(identifier: str) -> None:
    """OpenID Connect Discovery 1.0, section 2.1.2"""
    found = _webfinger(allow_loopback=False).resource(identifier)
    assert (found.uri, found.origin) == RESOURCES[identifier]


async def test_a_host_within_our_network_is_not_asked(
    world: World, administrator: Person, refused: Refused
) -> None:
    for host in ("169.254.169.254", "10.0.0.1", "[::ffff:10.0.0.1]"):
        call = create(world, administrator, identifier=f"ada@{host}")
        assert (await refused(call, *INVALID)).reasons == ("NO_ISSUER",)


async def test_a_redirect_is_not_followed(
    world: World, administrator: Person, registering: Provider, refused: Refused
) -> None:
    async with listening(registering.answer) as elsewhere:
        registering.redirect_to = f"{elsewhere}/.well-known/webfinger"
        call = create(world, administrator, identifier=f"ada@{registering.base[7:]}")
        await refused(call, *INVALID)


async def test_issuer_and_identifier_do_not_go_together(
    world: World, administrator: Person, registering: Provider, refused: Refused
) -> None:
    fields: list[dict[str, str]] = [{"issuer": registering.issuer}, {"preset": "google"}]
    for more in fields:
        call = create(world, administrator, identifier="ada@example.com", **more)
        assert (await refused(call, *INVALID)).reasons == ("NOT_ALLOWED",)


def _webfinger(*, allow_loopback: bool) -> WebFinger:
    policy = AddressPolicy(allow_loopback=allow_loopback)
    return WebFinger(ProviderClient(policy), policy)
