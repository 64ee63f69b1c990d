"""Public keys are taken; what could sign in another's name never is."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from portico_kit.errors import InvalidRequestError
from server.features.applications.jwks import (
    PRIVATE_MEMBERS,
    published_keys,
    registered_keys,
    suitable,
)
from tests.core.applications.keys import ec_key, ed25519_key, rsa_key

RSA = rsa_key()
ONE, TWO = ec_key(), ec_key("two", ec.SECP384R1())


def violations(document: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidRequestError) as caught:
        registered_keys(document)
    return {violation.field: violation.reason for violation in caught.value.violations}


def test_only_the_public_members_are_kept() -> None:
    extended = {**ONE.public, "x5c": ["MII"], "key_ops": ["verify"], "note": "mine"}
    assert registered_keys({"keys": [extended], "more": 1}) == {"keys": [ONE.public]}


def test_the_kinds_of_keys_that_are_taken() -> None:
    keys = [RSA.public | {"kid": "r"}, ONE.public, TWO.public, ed25519_key("ed").public]
    assert len(registered_keys({"keys": keys})["keys"]) == 4


def test_a_private_key_is_named_and_refused() -> None:
    assert violations({"keys": [ONE.public, TWO.whole]}) == {"jwks.keys[1].d": "PRIVATE_KEY"}
    found = violations({"keys": [RSA.whole]})
    assert set(found) == {f"jwks.keys[0].{name}" for name in ("d", "p", "q", "dp", "dq", "qi")}
    for name in PRIVATE_MEMBERS:
        assert violations({"keys": [{**ONE.public, name: None}]}) == {
            f"jwks.keys[0].{name}": "PRIVATE_KEY"
        }


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"kty": "EC"},
        {"kty": "oct"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {**ONE.public, "crv": "P-384"},
        {**ONE.public, "x": 1},
        {**ONE.public, "y": ""},
        {**ONE.public, "kid": ""},
        {**ONE.public, "kid": "a\nb"},
        {**ONE.public, "kid": "k" * 257},
        {**ONE.public, "alg": "HS256"},
        {**ONE.public, "alg": "none"},
        {**ONE.public, "alg": "ES384"},
        {**RSA.public, "alg": "RS512"},
        {**RSA.public, "n": "A" * 2001},
        rsa_key(bits=1024).public,
        ec_key(curve=ec.SECP521R1()).public,
        ec_key(curve=ec.SECP256K1()).public,
        "text",
        None,
    ],
)
def test_a_weak_or_broken_key_is_refused(key: Any) -> None:
    assert violations({"keys": [key]}) == {"jwks.keys[0]": "INVALID_KEY"}


@pytest.mark.parametrize("keys", [None, [], {}, "x", [ONE.public] * 11, [ONE.public] * 2])
def test_a_set_has_one_to_ten_keys_that_can_be_told_apart(keys: Any) -> None:
    assert violations({"keys": keys}) == {"jwks.keys": "INVALID_KEY_SET"}


def test_a_published_set_may_have_keys_that_we_do_not_know() -> None:
    unknown = {"kty": "AKP", "alg": "ML-DSA-65", "pub": "AA"}
    encrypts = {**RSA.public, "kid": "enc", "use": "enc", "alg": "RSA-OAEP"}
    keys = published_keys({"keys": [unknown, 1, ONE.public, encrypts]})
    assert [key.kid for key in suitable(keys, "ES256", None)] == ["one"]
    assert suitable(keys, "RS256", "enc") == []
    assert suitable(keys, "ES256", "two") == []
    assert suitable(keys, "ES384", "one") == []
