"""Promises about where deliveries may go: nobody reaches our own network through us."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from portico_kit.testing.clocks import OffsetClock
from server.common.outbound_addresses import AddressPolicy
from server.features.webhooks.delivery.http import WebhookClient
from tests.workers.harness import Receiver, answer

REFUSED = "The address is private or reserved; webhooks reach public addresses only."


@pytest.fixture
async def client(clock: OffsetClock) -> AsyncIterator[WebhookClient]:
    """The client as it is in production."""
    client = WebhookClient(AddressPolicy(allow_loopback=False), clock, "test", timeout=3)
    yield client
    await client.close()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0x7f.1",
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "[fe80::1]",
        "[fd00::1]",
    ],
)
async def test_an_address_that_is_not_public_is_refused_however_it_is_written(
    client: WebhookClient, receiver: Receiver, host: str
) -> None:
    result = await client.post(f"http://{host}:{receiver.port}/hook", b"{}", {})
    assert (result.accepted, result.response_status, result.error) == (False, None, REFUSED)
    assert receiver.requests == []


async def test_an_address_in_one_number_is_no_host_name(
    client: WebhookClient, receiver: Receiver
) -> None:
    result = await client.post(f"http://2130706433:{receiver.port}/hook", b"{}", {})
    assert result.error == "The URL is not valid."
    assert receiver.requests == []


async def test_a_name_that_resolves_to_our_network_once_it_was_accepted_is_refused(
    client: WebhookClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rebound(_host: str, port: Any, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    result = await client.post(f"http://hooks.example.com:{receiver.port}/", b"{}", {})
    assert result.error == REFUSED
    assert receiver.requests == []


async def test_a_redirect_into_our_network_is_not_followed(
    receiver: Receiver, clock: OffsetClock
) -> None:
    receiver.handler = answer(302, location="http://169.254.169.254/latest/meta-data/")
    open_client = WebhookClient(AddressPolicy(allow_loopback=True), clock, "test")
    result = await open_client.post(receiver.url, b"{}", {})
    await open_client.close()
    assert (result.accepted, result.response_status) == (False, 302)


async def test_a_name_that_does_not_exist_is_said_so(client: WebhookClient) -> None:
    result = await client.post("http://nowhere.invalid/", b"{}", {})
    assert result.error == "The host name could not be resolved."


async def test_a_url_that_is_none_is_said_so(client: WebhookClient) -> None:
    assert (await client.post("http://", b"{}", {})).error == "The URL is not valid."


async def test_the_proxy_of_the_environment_is_not_used(
    receiver: Receiver, clock: OffsetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", receiver.url)
    client = WebhookClient(AddressPolicy(allow_loopback=False), clock, "test")
    result = await client.post("http://10.0.0.1/", b"{}", {})
    await client.close()
    assert result.error == REFUSED
    assert receiver.requests == []
