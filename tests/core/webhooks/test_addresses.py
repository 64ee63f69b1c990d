"""Where webhooks may point to, without any network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import ip_addresses

from portico_kit.errors import InvalidRequestError
from server.common.outbound_addresses import AddressPolicy

PRODUCTION = AddressPolicy(allow_loopback=False)
DEVELOPMENT = AddressPolicy(allow_loopback=True)

PUBLIC = [
    "8.8.8.8",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
LOOPBACK = ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"]
NEVER = [
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::10.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",
    "64:ff9b:1::808:808",
    "2001:db8::1",
    "2002:a00:1::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "",
    "example.com",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_connected_to(address: str) -> None:
    assert PRODUCTION.allows(address)
    assert DEVELOPMENT.allows(address)


@pytest.mark.parametrize("address", LOOPBACK)
def test_this_machine_may_be_connected_to_in_development_only(address: str) -> None:
    assert not PRODUCTION.allows(address)
    assert DEVELOPMENT.allows(address)


@pytest.mark.parametrize("address", NEVER)
def test_private_and_special_addresses_are_never_connected_to(address: str) -> None:
    assert not PRODUCTION.allows(address)
    assert not DEVELOPMENT.allows(address)


@given(ip_addresses(v=4))
def test_an_address_is_judged_the_same_however_it_is_wrapped(address: object) -> None:
    wrapped = f"::ffff:{address}"
    assert PRODUCTION.allows(wrapped) == PRODUCTION.allows(str(address))
    assert DEVELOPMENT.allows(wrapped) == DEVELOPMENT.allows(str(address))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook?a=b#c",
        "https://example.com:8443/hook",
        "https://8.8.8.8/hook",
        "https://[2606:4700:4700::1111]/hook",
        "https://exämple.com/hook",
    ],
)
def test_a_public_https_url_is_taken(url: str) -> None:
    PRODUCTION.check_url(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", "URL_SCHEME_NOT_ALLOWED"),
        ("ftp://example.com/", "URL_SCHEME_NOT_ALLOWED"),
        ("file:///etc/passwd", "URL_INVALID"),
        ("https://ada:secret@example.com/", "URL_HAS_CREDENTIALS"),
        ("https://ada@example.com/", "URL_HAS_CREDENTIALS"),
        ("https://127.0.0.1/", "URL_NOT_PUBLIC"),
        ("https://127.0.0.1./", "URL_NOT_PUBLIC"),
        ("https://localhost/", "URL_NOT_PUBLIC"),
        ("https://LOCALHOST./", "URL_NOT_PUBLIC"),
        ("https://api.localhost/", "URL_NOT_PUBLIC"),
        ("https://2130706433/", "URL_NOT_PUBLIC"),
        ("https://0x7f.1/", "URL_NOT_PUBLIC"),
        ("https://0177.0.0.1/", "URL_NOT_PUBLIC"),
        ("https://0/", "URL_NOT_PUBLIC"),
        ("https://169.254.169.254/latest/meta-data/", "URL_NOT_PUBLIC"),
        ("https://[::1]/", "URL_NOT_PUBLIC"),
        ("https://[::ffff:10.0.0.1]/", "URL_NOT_PUBLIC"),
        ("https://\uff11\uff12\uff17.0.0.1/", "URL_NOT_PUBLIC"),
        ("https://", "URL_INVALID"),
        ("https:///hook", "URL_INVALID"),
        ("https://[::1/", "URL_INVALID"),
        ("https://example.com:99999/", "URL_INVALID"),
        ("https://example.com:0/", "URL_INVALID"),
        ("https://example.com\\@127.0.0.1/", "URL_INVALID"),
    ],
)
def test_a_url_that_is_not_public_is_refused_with_its_reason(url: str, reason: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        PRODUCTION.check_url(url)
    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == ("url", reason)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/", "http://localhost:8000/", "https://[::1]/", "http://a.test/"]
)
def test_in_development_this_machine_and_http_are_taken(url: str) -> None:
    DEVELOPMENT.check_url(url)
    with pytest.raises(InvalidRequestError):
        PRODUCTION.check_url(url)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://169.254.169.254/", "http://0.0.0.0/", "http://[fe80::1]/"]
)
def test_in_development_the_rest_of_the_private_network_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError):
        DEVELOPMENT.check_url(url)
