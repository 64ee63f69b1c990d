"""API keys tell a typing mistake from a key, without a look-up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico_kit.tokens import ALPHABET, api_key_prefix, new_api_key, parse_api_key


@pytest.mark.parametrize("environment", ["live", "test"])
def test_a_new_key_is_of_the_right_form(environment: str) -> None:
    secret = new_api_key(environment)
    parsed = parse_api_key(secret)
    assert parsed is not None
    assert parsed.environment == environment
    assert secret.startswith(parsed.prefix)
    assert len(parsed.prefix) == len(f"pk_{environment}_") + 6


@given(position=st.integers(min_value=8, max_value=45), letter=st.sampled_from(ALPHABET))
def test_a_key_with_one_wrong_letter_is_refused(position: int, letter: str) -> None:
    secret = new_api_key("test")
    mistyped = secret[:position] + letter + secret[position + 1 :]
    assert (parse_api_key(mistyped) is None) == (mistyped != secret)


@given(text=st.text(max_size=200))
def test_nothing_made_up_is_of_the_right_form(text: str) -> None:
    assert parse_api_key(text) is None
    assert parse_api_key(f"pk_live_{text}") is None


def test_two_keys_differ_and_show_only_their_start() -> None:
    first, second = new_api_key("live"), new_api_key("live")
    assert first != second
    assert len(first) - len(api_key_prefix(first)) == 32
