"""Where a webhook may point to: a URL that can be read, and a name that leads somewhere."""

from __future__ import annotations

import grpc
import pytest
from hypothesis import given
from hypothesis.strategies import characters, text
from yarl import URL

from portico_kit.errors import InvalidRequestError
from server.common.outbound_addresses import AddressPolicy
from tests.core.conftest import Refused
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import World

POLICY = AddressPolicy(allow_loopback=False)
LABEL = "a" * 63
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture(scope="module")
async def existing(world: World) -> tuple[WebhookClient, str]:
    """A webhook for all the tests in which it is not changed."""
    owner = await world.new_person()
    webhook_client = WebhookClient(world, await world.new_organization(owner), owner)
    return webhook_client, (await webhook_client.create()).webhook.id


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("HTTPS://Example.COM/Hook", "https://example.com/Hook"),
        ("https://exämple.com/ä?q=ü", "https://xn--exmple-cua.com/ä?q=ü"),
        ("https://EXÄMPLE.com./", "https://xn--exmple-cua.com./"),
        ("https://xn--exmple-cua.com/", "https://xn--exmple-cua.com/"),
        ("https://faß.de/", "https://xn--fa-hia.de/"),
        ("https://example.com:443/", "https://example.com/"),
        ("https://example.com:8443", "https://example.com:8443"),
        ("https://example.com./", "https://example.com./"),
        ("https://a_b.example.com/", "https://a_b.example.com/"),
        ("https://example.com/a#part", "https://example.com/a"),
        ("https://example.com/%2F%2f?b=%20+", "https://example.com/%2F%2f?b=%20+"),
        ("https://[2606:4700:0:0::1111]:8443/", "https://[2606:4700::1111]:8443/"),
        (f"https://{LABEL}.{LABEL}.{LABEL}.com/", f"https://{LABEL}.{LABEL}.{LABEL}.com/"),
    ],
)
async def test_a_url_is_stored_as_it_is_used(
    webhook_client: WebhookClient, url: str, stored: str
) -> None:
    created = (await webhook_client.create(url=url)).webhook
    assert created.url == stored
    assert (await webhook_client.update(created.id, url=stored)).webhook.url == stored


@pytest.mark.parametrize(
    "url",
    [
        "https://[::1",
        "https://[v1.a]/",
        "https://[fe80::1%25eth0]/",
        "https://[::ffff:1.2.3.4",
        "https://example.com:65536/",
        "https://example.com:abc/",
        "https://example.com:-1/",
        "https://example.com:0/",
        "https:///hook",
        "https://:443/",
        "https://?a",
        "https://a..b/",
        "https://.example.com/",
        "https://-a.example.com/",
        "https://a-.example.com/",
        "https://exa\u200bmple.com/",
        "https://exa\u202emple.com/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/\\..",
        "https://ex%61mple.com/",
        "https://xn--a/",
        "https://xn--zzzzzz99999.com/",
        "https://☃.net/",
        f"https://{LABEL}a.com/",
        f"https://{'.'.join([LABEL] * 5)}/",
        "https://exam<ple.com/",
        "https://example.com/\x00",
        "https://example.com/\x7f",
        "https://ada:secret@example.com/",
        "https://ada@example.com/",
        "ftp://example.com/",
        "javascript:alert(1)",
        "//example.com/",
        "https:example.com",
        "https://example.com/" + "a" * 2000,
    ],
)
async def test_what_cannot_be_a_destination_names_the_field(
    existing: tuple[WebhookClient, str], url: str, refused: Refused
) -> None:
    webhook_client, webhook_id = existing
    found = await refused(webhook_client.create(url=url), INVALID, "VALIDATION_ERROR")
    assert set(found.fields) == {"url"}
    found = await refused(webhook_client.update(webhook_id, url=url), INVALID, "VALIDATION_ERROR")
    assert set(found.fields) == {"url"}


@pytest.mark.parametrize("host", ["nowhere.invalid", "metadata.internal"])
async def test_a_name_that_leads_nowhere_public_is_refused(
    webhook_client: WebhookClient, host: str, refused: Refused
) -> None:
    url = f"https://{host}/hook"
    webhook = (await webhook_client.create()).webhook
    for attempt in (webhook_client.create(url=url), webhook_client.update(webhook.id, url=url)):
        found = await refused(attempt, INVALID, "VALIDATION_ERROR")
        assert found.fields == ("url",)


async def test_name_servers_that_do_not_answer_are_not_the_fault_of_the_caller(
    webhook_client: WebhookClient,
) -> None:
    assert (
        await webhook_client.create(url="https://hooks.broken/")
    ).webhook.url == "https://hooks.broken/"


@given(text(characters(codec="utf-8"), max_size=60))
def test_whatever_is_sent_is_taken_or_refused_and_never_an_error(rest: str) -> None:
    for url in (f"https://{rest}", f"https://example.com{rest}", f"https://[{rest}]/", rest):
        try:
            stored = POLICY.check_url(url)
        except InvalidRequestError:
            continue
        # What is stored is read the same again, also by the client that sends.
        assert POLICY.check_url(stored) == stored
        assert (URL(stored).scheme, URL(stored).user, URL(stored).raw_fragment) == (
            "https",
            None,
            "",
        )
