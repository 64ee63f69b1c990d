"""Whose address counts: what the trusted proxies say, and never what a client says of itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.gateway.backends import GOOD_KEY, Backends
from tests.gateway.gateway import Gateway, running, settings_for
from tests.gateway.raw import ask, request
from tests.gateway.tokens import Signer
from tests.support import certificates

KEYS = "/api/v1/organizations/0195d1a0-0000-7000-8000-000000000001/api-keys"


@pytest.fixture(scope="module")
async def behind_a_proxy(all_backends: Backends) -> AsyncIterator[Gateway]:
    """A gateway that believes one proxy in front of it."""
    settings = settings_for(
        all_backends.runtime_dir, trusted_hops=1, proxy_secret=certificates.PROXY_SECRET
    )
    # The same sockets, but an access log of its own.
    log = all_backends.runtime_dir / "proxied.log"
    async with running(settings.model_copy(update={"access_log": log})) as gateway:
        await gateway.becomes(401, KEYS)
        yield gateway


async def addresses_told(gateway: Gateway, backends: Backends, **headers: str) -> tuple[str, str]:
    """The client's address as the authorizer and as the core are told."""
    backends.reset()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await gateway.get(KEYS, headers={"x-api-key": GOOD_KEY, **sent})
    assert answer.status == 200
    [check], [call] = backends.checks, backends.calls
    told = check.attributes.request.http.headers["x-edge-address"]
    return told, call.metadata["x-edge-address"]


async def test_without_a_trusted_proxy_it_is_the_connection(
    gateway: Gateway, backends: Backends
) -> None:
    told = await addresses_told(gateway, backends, x_forwarded_for="192.0.2.1")
    assert told == ("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::7", "2001:db8::7"),
        ("10.0.0.9", "10.0.0.9"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("203.0.113.66:80, 192.0.2.1:4711", "192.0.2.1"),
        ("203.0.113.66,192.0.2.1", "192.0.2.1"),
        # Only the last entry is the proxy's; the first is what the client made up.
        ("203.0.113.66, 192.0.2.1", "192.0.2.1"),
    ],
)
async def test_behind_a_trusted_proxy_it_is_what_the_proxy_saw(
    behind_a_proxy: Gateway, backends: Backends, forwarded: str, address: str
) -> None:
    told = await addresses_told(behind_a_proxy, backends, x_forwarded_for=forwarded)
    assert told == (address, address)


@pytest.mark.parametrize("name", ["x_edge_address", "x_envoy_external_address"])
async def test_a_client_cannot_say_it_itself(
    gateway: Gateway, backends: Backends, name: str
) -> None:
    told = await addresses_told(gateway, backends, **{name: "192.0.2.1"})
    assert told == ("127.0.0.1", "127.0.0.1")


async def test_several_fields_are_one_list(behind_a_proxy: Gateway, backends: Backends) -> None:
    """RFC 9110, section 5.3."""
    rows = ["X-Forwarded-For: 203.0.113.66", "X-Forwarded-For: 192.0.2.1", f"X-API-Key: {GOOD_KEY}"]
    assert (await ask(behind_a_proxy.settings.rest_port, request("GET", KEYS, *rows))).status == 200
    [check] = backends.checks
    assert check.attributes.request.http.headers["x-edge-address"] == "192.0.2.1"


@pytest.mark.parametrize("forwarded", ["unknown", "_hidden", "", ",", "999.1.1.1"])
async def test_a_proxy_that_names_no_address_is_the_client_itself(
    behind_a_proxy: Gateway, backends: Backends, forwarded: str
) -> None:
    told = await addresses_told(behind_a_proxy, backends, x_forwarded_for=forwarded)
    assert told == ("127.0.0.1", "127.0.0.1")


MINE = certificates.new_certificate()


async def test_a_token_that_is_bound_to_a_certificate_is_checked_beside_the_gateway(
    behind_a_proxy: Gateway, backends: Backends, signer: Signer
) -> None:
    # Wherever the claim begins within base64.
    for padding in ("", "a", "ab"):
        backends.reset()
        token = signer.access_token(padding=padding, cnf=MINE.cnf)
        await behind_a_proxy.get(KEYS, token=token, headers=MINE.told)
        [check] = backends.checks
        told = check.attributes.request.http.headers
        assert told["x-edge-dpop"] == token
        assert {name: told[name] for name in MINE.told} == MINE.told
        assert "authorization" not in told


async def test_a_token_that_is_bound_to_nothing_passes_beside_a_certificate(
    behind_a_proxy: Gateway, backends: Backends, signer: Signer
) -> None:
    # Until then the published keys are not fetched.
    await behind_a_proxy.becomes(200, KEYS, token=signer.access_token())
    backends.reset()
    answer = await behind_a_proxy.get(KEYS, token=signer.access_token(), headers=MINE.told)
    assert answer.status == 200
    [call] = backends.calls
    # The core is told neither, and the secret least of all.
    assert not set(MINE.told) & call.metadata.keys()
    assert backends.checks == []


async def test_without_the_setting_nobody_tells_a_certificate(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    token = signer.access_token(cnf=MINE.cnf)
    answer = await gateway.get(KEYS, token=token, headers=MINE.told)
    assert (answer.status, answer.error["code"]) == (401, "TOKEN_BOUND")
    assert (backends.calls, backends.checks) == ([], [])
    headers = {**MINE.told, "content-type": "application/x-www-form-urlencoded"}
    await gateway.call("POST", "/oauth/token", headers=headers, data=b"a=b")
    [request] = backends.pages
    assert not set(MINE.told) & {name.lower() for name in request.headers}
