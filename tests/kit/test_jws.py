"""What we sign ourselves is what any library reads."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from portico_kit.jws import signed

CLAIMS = {"iss": "https://api.example.com", "name": "Zoë \U0001f600", "amr": ["pwd", "otp"], "n": 0}


def test_a_library_reads_a_token_by_es256() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    # Often enough for numbers in a signature that begin with zeros.
    for _ in range(600):
        token = signed(CLAIMS, key, "one", "at+jwt")
        assert jwt.decode(token, key.public_key(), algorithms=["ES256"]) == CLAIMS
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "one", "typ": "at+jwt"}


def test_a_library_reads_a_token_by_rs256() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = signed(CLAIMS, key, "two", "JWT")
    assert jwt.decode(token, key.public_key(), algorithms=["RS256"]) == CLAIMS
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "kid": "two", "typ": "JWT"}


def test_what_is_no_json_is_not_signed() -> None:
    with pytest.raises(TypeError):
        signed({"sub": object()}, ec.generate_private_key(ec.SECP256R1()), "one", "JWT")
