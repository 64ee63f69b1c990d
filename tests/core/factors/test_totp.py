"""Codes of authenticator apps, as a pure rule."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from server.features.factors.totp import STEP_SECONDS, Totp

# RFC 6238, appendix B: the last six of the eight digits that it shows for SHA-1.
SECRET = Totp(b"12345678901234567890")
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_the_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    assert SECRET.code(seconds // STEP_SECONDS) == code
    assert SECRET.step(code, at(seconds)) == seconds // STEP_SECONDS


@pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_away(steps: int, right: bool) -> None:
    now = at(1_800_000_000)
    code = SECRET.code(1_800_000_000 // STEP_SECONDS + steps)
    assert (SECRET.step(code, now) is not None) == right


@pytest.mark.parametrize(
    "code", ["", "28708", "2870820", "28708a", " 287082", "287 082", "٢٨٧٠٨٢", "287082\n"]
)
def test_only_six_ascii_digits_are_a_code(code: str) -> None:
    assert SECRET.step(code, at(59)) is None


def test_the_uri_says_whose_it_is_whatever_they_are_called() -> None:
    uri = urlsplit(SECRET.uri("Über & Co: x", "a+b@example.com"))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    fields = parse_qs(uri.query)
    assert fields == {"secret": [SECRET.base32], "issuer": ["Über & Co: x"]}
    assert SECRET.base32 == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
