"""An application is sent only to addresses that every browser reads alike and that are its own."""

from __future__ import annotations

import pytest

from portico_kit.errors import InvalidRequestError
from server.features.applications.redirect_uris import RedirectRules, loopback_without_port

WEB = RedirectRules(native=False, allow_loopback=False)
NATIVE = RedirectRules(native=True, allow_loopback=False)
DEVELOPMENT = RedirectRules(native=False, allow_loopback=True)

EVERYWHERE = (
    "https://app.example.com",
    "https://app.example.com/callback",
    "https://app.example.com:8443/callback?tenant=1&x=%2F",
    "https://xn--bcher-kva.example/cb",
    "https://[2001:db8::1]/cb",
    "https://192.0.2.1/cb",
    "https://localhost/cb",
)
LOOPBACK = (
    "http://127.0.0.1/callback",
    "http://127.0.0.1:51004/callback",
    "http://[::1]/callback",
    "http://localhost:3000/callback",
    "http://localhost",
)
PRIVATE_USE = ("com.example.app:/callback", "com.example.app://callback", "io.example:cb")
NOWHERE = {
    "": "URI_INVALID",
    "/callback": "URI_INVALID",
    "//app.example.com/cb": "URI_INVALID",
    "https:app.example.com": "URI_INVALID",
    "https:///cb": "URI_INVALID",
    "https://": "URI_INVALID",
    "https://app.example.com/cb#x": "URI_HAS_FRAGMENT",
    "https://app.example.com/cb#": "URI_HAS_FRAGMENT",
    "https://*.example.com/cb": "URI_HAS_WILDCARD",
    "https://app.example.com/*": "URI_HAS_WILDCARD",
    "https://app.example.com@evil.example/cb": "URI_HAS_CREDENTIALS",
    "https://user:password@app.example.com/cb": "URI_HAS_CREDENTIALS",
    "https://app.example.com\\@evil.example/cb": "URI_INVALID",
    "https:\\\\app.example.com/cb": "URI_INVALID",
    "https://app.example.com/a b": "URI_INVALID",
    "https://app.example.com/\r\nset-cookie:x": "URI_INVALID",
    "https://app.example.com/\x00": "URI_INVALID",
    "https://app.example.com/cb\n": "URI_INVALID",
    " https://app.example.com/cb": "URI_INVALID",
    "https://bücher.example/cb": "URI_INVALID",
    "https://app.example.com/ä": "URI_INVALID",
    "https://app.example.com/%zz": "URI_INVALID",
    "https://app.example.com/%": "URI_INVALID",
    "https://app.example.com/../evil": "URI_INVALID",
    "https://app.example.com/a/./b": "URI_INVALID",
    "https://app.example.com/%2e%2E/evil": "URI_INVALID",
    "https://app.example.com:0/cb": "URI_INVALID",
    "https://app.example.com:65536/cb": "URI_INVALID",
    "https://app.example.com:/cb": "URI_INVALID",
    "https://app.example.com:80x/cb": "URI_INVALID",
    "https://a:b:c/cb": "URI_INVALID",
    "https://app..example.com/cb": "URI_INVALID",
    "https://[fe80::1%25eth0]/cb": "URI_INVALID",
    "HTTPS://app.example.com/cb": "URI_INVALID",
    "https://App.example.com/cb": "URI_INVALID",
    "https://" + "a" * 2000: "URI_TOO_LONG",
    "http://app.example.com/cb": "URI_SCHEME_NOT_ALLOWED",
    "http://127.0.0.1.evil.example/cb": "URI_SCHEME_NOT_ALLOWED",
    "http://localhost.evil.example/cb": "URI_SCHEME_NOT_ALLOWED",
    "http://127.0.0.2/cb": "URI_SCHEME_NOT_ALLOWED",
    "http://2130706433/cb": "URI_SCHEME_NOT_ALLOWED",
    "http://0/cb": "URI_SCHEME_NOT_ALLOWED",
    "javascript:alert(1)": "URI_SCHEME_NOT_ALLOWED",
    "data:text/html,x": "URI_SCHEME_NOT_ALLOWED",
    "vbscript:x": "URI_SCHEME_NOT_ALLOWED",
    "file:///etc/passwd": "URI_SCHEME_NOT_ALLOWED",
    "blob:https://app.example.com/x": "URI_SCHEME_NOT_ALLOWED",
    "myapp:/callback": "URI_SCHEME_NOT_ALLOWED",
    "com.:/callback": "URI_SCHEME_NOT_ALLOWED",
    "urn:ietf:wg:oauth:2.0:oob": "URI_SCHEME_NOT_ALLOWED",
}


def reasons(rules: RedirectRules, *uris: str) -> dict[str, str]:
    """What is wrong, by field."""
    try:
        rules.check(uris, "redirect_uris")
    except InvalidRequestError as error:
        return {violation.field: violation.reason for violation in error.violations}
    return {}


@pytest.mark.parametrize("rules", [WEB, NATIVE, DEVELOPMENT], ids=["web", "native", "development"])
def test_https_is_for_everybody(rules: RedirectRules) -> None:
    assert reasons(rules, *EVERYWHERE) == {}


def test_a_native_application_may_listen_on_its_machine_or_have_a_scheme() -> None:
    assert reasons(NATIVE, *LOOPBACK, *PRIVATE_USE) == {}
    assert reasons(NATIVE, "com.example.app://user@callback") == {
        "redirect_uris[0]": "URI_HAS_CREDENTIALS"
    }
    assert set(reasons(WEB, *LOOPBACK, *PRIVATE_USE).values()) == {"URI_SCHEME_NOT_ALLOWED"}
    assert len(reasons(WEB, *LOOPBACK, *PRIVATE_USE)) == len(LOOPBACK) + len(PRIVATE_USE)


def test_in_development_any_application_may_be_on_this_machine() -> None:
    assert reasons(DEVELOPMENT, *LOOPBACK) == {}
    assert len(reasons(DEVELOPMENT, *PRIVATE_USE)) == len(PRIVATE_USE)


@pytest.mark.parametrize("uri", NOWHERE, ids=lambda uri: ascii(uri)[1:41])
def test_what_is_ambiguous_or_somebody_elses_is_refused(uri: str) -> None:
    for rules in (WEB, NATIVE, DEVELOPMENT):
        assert reasons(rules, uri) == {"redirect_uris[0]": NOWHERE[uri]}


def test_each_wrong_one_is_named_by_its_place() -> None:
    found = reasons(WEB, EVERYWHERE[0], "http://app.example.com", EVERYWHERE[1], "x")
    assert list(found) == ["redirect_uris[1]", "redirect_uris[3]"]


def test_only_the_port_of_a_loopback_address_is_free() -> None:
    assert loopback_without_port("http://127.0.0.1:1/cb?x=1") == "http://127.0.0.1/cb?x=1"
    assert loopback_without_port("http://[::1]:65535/cb") == "http://[::1]/cb"
    assert loopback_without_port("http://localhost") == "http://localhost"
    for uri in (
        "https://127.0.0.1:1/cb",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:99999/cb",
        "http://127.0.0.1:1@evil.example/cb",
        "http://127.0.0.1.evil.example:1/cb",
        "http://localhost:1\n/cb",
    ):
        assert loopback_without_port(uri) is None
