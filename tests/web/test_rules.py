"""The pure rules of the pages: languages, form tokens, and a color that can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.web import forms
from edge.web.brand import WHITE, checked_color, checked_logo, contrast, dark_color, parse_color
from edge.web.forms import FormTokens, is_foreign, read_fields
from edge.web.languages import choose

AVAILABLE = ("en", "de")


@pytest.mark.parametrize(
    ("preference", "ui_locales", "header", "language"),
    [
        ("", "", "", "en"),
        ("", "", "de-AT,de;q=0.9,en;q=0.8", "de"),
        ("", "", "fr, de;q=0.5, en;q=0.7", "en"),
        ("", "", "en;q=0, de;q=0.1", "de"),
        ("", "", "fr-CH, *;q=0.5", "en"),
        ("", "", "DE", "de"),
        ("", "", "de;q=nonsense, fr", "en"),
        ("", "", ",;=,q=1;;de", "en"),
        ("", "de-CH en", "en", "de"),
        ("", "xx", "de", "de"),
        ("de", "en", "en", "de"),
        ("fr", "", "de", "de"),
        ("", "", "en," * 10_000 + "de", "en"),
    ],
)
def test_the_language_is_the_persons_then_the_links_then_the_browsers(
    preference: str, ui_locales: str, header: str, language: str
) -> None:
    assert choose(AVAILABLE, preference, ui_locales, header) == language


TOKENS = FormTokens("an internal token of the tests alone")


def test_a_form_token_is_good_for_its_cookie_alone_and_differs_each_time() -> None:
    token = TOKENS.issue("ada")
    assert TOKENS.accepts(token, ["ada"])
    assert TOKENS.accepts(token, ["bob", "ada"])
    assert not TOKENS.accepts(token, ["bob"])
    assert not TOKENS.accepts(token, [])
    assert TOKENS.issue("ada") != token


@pytest.mark.parametrize("token", ["", "a", "====", "AAAA", "é", "A" * 64, "A" * 10_000])
def test_what_is_no_form_token_is_not_accepted(token: str) -> None:
    assert not TOKENS.accepts(token, ["ada", ""])


def test_another_internal_token_makes_other_form_tokens() -> None:
    assert not FormTokens("some other internal token, as long").accepts(TOKENS.issue("a"), ["a"])


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://id.example.com"}, True),
        ({"Origin": "null"}, False),
        ({"Origin": "https://id.example.com"}, False),
        ({"Origin": "http://inside:8080", "Host": "inside:8080"}, False),
        ({"Origin": "https://evil.example", "Host": "id.example.com"}, True),
        ({"Origin": "https://id.example.com.evil.example", "Host": "id.example.com"}, True),
    ],
)
def test_a_form_of_another_site_is_known_by_what_the_browser_says(
    headers: dict[str, str], foreign: bool
) -> None:
    assert is_foreign(headers, "https://id.example.com") is foreign


def test_fields_are_read_whatever_the_bytes() -> None:
    assert read_fields(b"a=1&a=2&b=%FF&c=%00x&d=a%0D%0Ab&e") == {
        "a": "1",
        "b": "�",
        "c": "x",
        "d": "a\nb",
        "e": "",
    }
    with pytest.raises(ValueError, match="fields"):
        read_fields(b"&".join([b"a=b"] * (forms.MAX_FIELDS + 1)))


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast(WHITE, (0, 0, 0)) == pytest.approx(21)
    assert contrast(WHITE, parse_color("#767676")) == pytest.approx(4.54, abs=0.01)


def test_a_color_that_cannot_be_read_is_refused_with_the_nearest_that_can() -> None:
    assert checked_color("#1F5FD0") == "#1f5fd0"
    with pytest.raises(ValueError, match=r"needs 4\.5:1; the nearest .* #[0-9a-f]{6}") as refused:
        checked_color("#ffcc00")
    nearest = str(refused.value)[-7:]
    assert checked_color(nearest) == nearest


@pytest.mark.parametrize("color", ["#1f5fd0", "#000000", "#0b3d0b", "#b42318"])
def test_links_can_be_read_in_the_dark_theme(color: str) -> None:
    for background in ("#1c2027", "#14171c"):
        assert contrast(parse_color(dark_color(color)), parse_color(background)) >= 4.5


@pytest.mark.parametrize("color", ["red", "#fff", "1f5fd0", "#1f5fd0;}", "#gggggg", "#1f5fd0\n"])
def test_what_is_no_color_is_refused(color: str) -> None:
    with pytest.raises(ValueError, match="give a color"):
        checked_color(color)


def test_a_logo_is_checked_at_the_start(tmp_path: Path) -> None:
    good = tmp_path / "logo.svg"
    good.write_text("<svg/>")
    assert checked_logo(good) == good
    (tmp_path / "logo.png").write_text("<svg/>")
    (tmp_path / "large.svg").write_text("<svg/>" + " " * 100_000)
    for name in ("logo.png", "large.svg", "missing.svg", "logo.html"):
        with pytest.raises(ValueError, match="file"):
            checked_logo(tmp_path / name)
