"""User codes: what a person reads from a device and types (RFC 8628, section 6.1)."""

from __future__ import annotations

import secrets
import unicodedata

# No vowels, so that no code is a word, and no digits that look like letters.
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
LENGTH = 8  # of 20 letters: 2.56e10 codes
_HALF = LENGTH // 2


def new_user_code() -> str:
    """A random code, without its dash."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def shown(code: str) -> str:
    """A code as people read it: with a dash in the middle."""
    return f"{code[:_HALF]}-{code[_HALF:]}"


def typed(text: str) -> str | None:
    """The code that a person means; None if it can be none.

    Case, dashes, spaces and everything else that is no letter or digit do not matter, nor does
    the width of letters, which some keyboards make twice as wide.
    """
    plain = unicodedata.normalize("NFKC", text).upper()
    code = "".join(each for each in plain if each.isalnum())
    return code if len(code) == LENGTH and set(code) <= set(ALPHABET) else None
