"""Derived keys belong to one purpose; what is sealed cannot be read or changed without it."""

from __future__ import annotations

import base64

import pytest
from cryptography.exceptions import InvalidTag

from portico_kit.secrets import Secrets

MASTER = bytes(range(32))


def test_the_same_master_gives_the_same_keys_again() -> None:
    encoded = base64.b64encode(MASTER).decode()
    assert Secrets(MASTER).mac("api-key", "x") == Secrets.from_base64(encoded).mac("api-key", "x")


def test_each_purpose_has_a_key_of_its_own() -> None:
    secrets = Secrets(MASTER)
    assert secrets.mac("api-key", "x") != secrets.mac("one-time-token", "x")
    sealed = secrets.seal("email", b"hello")
    with pytest.raises(InvalidTag):
        secrets.unseal("idempotency", sealed)


def test_what_was_sealed_comes_back_and_a_change_is_noticed() -> None:
    secrets = Secrets(MASTER)
    sealed = secrets.seal("email", b"hello")
    assert b"hello" not in sealed
    assert secrets.unseal("email", sealed) == b"hello"
    with pytest.raises(InvalidTag):
        secrets.unseal("email", sealed[:-1] + bytes([sealed[-1] ^ 1]))


@pytest.mark.parametrize("text", ["", "short", "!!!!", base64.b64encode(b"x" * 31).decode()])
def test_a_master_secret_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="secret key"):
        Secrets.from_base64(text)
