"""Where a person may be sent: by what an address means, however it is written."""

from __future__ import annotations

import pytest

from edge.web.redirects import ReturnPlace, ReturnPlaces

PLACES = ReturnPlaces(["https://app.example.com", "https://id.example.com:8443/welcome"])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/account", "/account"),
        ("/account/sessions?cursor=a%2Fb", "/account/sessions?cursor=a%2Fb"),
        ("/account#x", "/account"),
        ("/invitations/accept?token=abc", "/invitations/accept?token=abc"),
        ("https://app.example.com", "https://app.example.com/"),
        ("HTTPS://APP.example.com:443/a?b=c#d", "https://app.example.com/a?b=c#d"),
        ("https://id.example.com:8443/welcome", "https://id.example.com:8443/welcome"),
        ("https://id.example.com:8443/welcome/x", "https://id.example.com:8443/welcome/x"),
    ],
)
def test_a_registered_place_is_accepted(text: str, place: str) -> None:
    assert PLACES.accept(text) == place


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "account", "//evil.example", "///evil.example", "/\\evil.example", "/%2fevil"),
        *("/account/../../evil", "/account/..%2f", "/account\\evil", "/%2f%2fevil.example"),
        *("/account\r\nSet-Cookie: a=b", "/account\t", " /account", "/account ", "/sign-in"),
        *("/sign-out", "/register", "/api/v1/users/me", "/accountx", "/assets/x"),
        *("https:evil.example", "https:/evil.example", "https:///evil.example", "https://"),
        *("https://evil.example", "https://app.example.com.evil.example", "http://app.example.com"),
        *("https://app.example.com@evil.example", "https://app.example.com:x@evil.example/"),
        *("https://user@app.example.com", "https://app.example.com\\@evil.example"),
        *(
            "https://app.example.com:444/",
            "https://app.example.com:0/",
            "https://app.example.com:x",
        ),
        *("https://app.example.com%2f@evil.example", "https://app.example.com%00.evil.example"),
        *("https://app.example.com.", "https://xn--app-9la.example.com", "https://äpp.example.com"),
        *("javascript:alert(1)", "JaVaScRiPt://app.example.com/%0aalert(1)", "data:text/html,x"),
        *("https://id.example.com:8443/", "https://id.example.com:8443/welcomex"),
        *("https://id.example.com:8443/welcome/../x", "https://id.example.com:8443/welcome/%2e%2e"),
        *("https://id.example.com:8443/welcome%2f..", "https://id.example.com:8443/welcome/%252e."),
        *("https://id.example.com/welcome", "https://[::1", "/account?" + "a" * 9000),
        *(
            "https://app.example.com/\n",
            "https://app.example.com/\0",
            "\uff48ttps://app.example.com",
        ),
    ],
)
def test_nothing_else_is(text: str) -> None:
    assert PLACES.accept(text) is None


@pytest.mark.parametrize(
    "url",
    [
        *("app.example.com", "https://", "https://a@b.example", "http://app.example.com", "*"),
        *("https://app.example.com/?a=b", "https://app.example.com/../x", "myapp://callback"),
    ],
)
def test_a_setting_that_is_no_safe_place_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="give https://"):
        ReturnPlace.parse(url)


def test_this_machine_may_be_reached_without_tls() -> None:
    assert ReturnPlace.parse("http://127.0.0.1:4000").origin == "http://127.0.0.1:4000"
    assert ReturnPlace.parse("http://[::1]:4000").origin == "http://[::1]:4000"
