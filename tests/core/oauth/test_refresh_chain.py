"""What proves a refresh token: neither the secret key nor the row alone makes one."""

from __future__ import annotations

import base64
import hashlib
from uuid import UUID

import pytest

from portico_kit.secrets import Secrets
from server.common.refresh_chain import PresentedToken, RefreshTokens

OWNER = UUID("0190a1b2-0000-7000-8000-000000000001")
OTHER = UUID("0190a1b2-0000-7000-8000-000000000002")
SEED = bytes(range(16))
TOKENS = RefreshTokens(Secrets(bytes(32)), "a-chain", form=2)


def made(number: int = 7) -> PresentedToken:
    presented = TOKENS.read(TOKENS.token(OWNER, SEED, number))
    assert presented is not None
    return presented


def test_a_token_says_whose_it_is_and_its_number() -> None:
    assert (made().owner_id, made().number) == (OWNER, 7)
    assert TOKENS.is_ours(made(), SEED)


def test_the_database_can_tell_by_what_it_has_whether_a_token_is_ours() -> None:
    presented = made()
    seen = SEED + presented.number_bytes
    assert TOKENS.seed_hash(presented) == hashlib.sha256(seen).digest()
    # What it sees is not what proves the token.
    assert TOKENS.seed_hash(presented) != presented.proof


@pytest.mark.parametrize(
    "changed",
    [
        PresentedToken(OTHER, 7, made().proof),
        PresentedToken(OWNER, 8, made().proof),
        PresentedToken(OWNER, 7, bytes(32)),
        PresentedToken(OWNER, 7, hashlib.sha256(SEED + made().number_bytes).digest()),
        PresentedToken(OWNER, 7, made().proof[:-1] + bytes([made().proof[-1] ^ 1])),
    ],
    ids=["owner", "number", "zeros", "hash of the seed alone", "one bit"],
)
def test_a_token_that_was_changed_is_none_of_ours(changed: PresentedToken) -> None:
    assert not TOKENS.is_ours(changed, SEED)


def test_two_tokens_of_a_chain_do_not_add_up_to_a_third() -> None:
    one, two = made(7), made(8)
    mixed = bytes(a ^ b for a, b in zip(one.proof, two.proof, strict=True))
    for number in (7, 8, 9):
        assert not TOKENS.is_ours(PresentedToken(OWNER, number, mixed), SEED)


def test_another_seed_key_or_purpose_gives_other_tokens() -> None:
    assert not TOKENS.is_ours(made(), bytes(16))
    for other in (
        RefreshTokens(Secrets(b"k" * 32), "a-chain", form=2),
        RefreshTokens(Secrets(bytes(32)), "another-chain", form=2),
    ):
        assert not other.is_ours(made(), SEED)


@pytest.mark.parametrize("number", [2**31 - 1, 2**32 - 1])
def test_a_number_that_no_row_can_count_to_is_none(number: int) -> None:
    packed = b"\x02" + OWNER.bytes + number.to_bytes(4) + bytes(32)
    assert TOKENS.read(base64.urlsafe_b64encode(packed).decode().rstrip("=")) is None
