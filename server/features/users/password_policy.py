"""Which passwords are refused: those that a guesser tries first. No rules of composition.

The contract's rules say how long one must be; here is what they cannot say.
"""

from __future__ import annotations

from itertools import pairwise

from portico_kit.errors import invalid
from server.features.users.common_passwords import COMMON

# A shorter local part ("ann") stands in too many good passwords by chance.
LOCAL_PART_LENGTH = 4
# Fewer different characters than this are no secret at any length.
DIFFERENT_CHARACTERS = 5

ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "`1234567890-=",
    "qwertyuiop[]asdfghjkl;'zxcvbnm,./",
)
_NEIGHBOURS = frozenset(pair for row in ROWS for pair in pairwise(row))


def require_acceptable(password: str, email: str, field: str) -> None:
    """Refuses a password that is easily guessed.

    Args:
        email: the address of the account, in its normal form.
        field: the request's field that the password came in.

    Raises:
        InvalidRequestError: naming the field.
    """
    plain = password.casefold()
    if _contains_address(plain, email):
        raise invalid(field, "PASSWORD_CONTAINS_EMAIL", "must not contain the email address")
    if len(set(plain)) < DIFFERENT_CHARACTERS or _follows_rows(plain) or _is_common(plain):
        raise invalid(field, "PASSWORD_TOO_COMMON", "is easily guessed; choose another one")


def _contains_address(plain: str, email: str) -> bool:
    local_part = email.partition("@")[0]
    return email in plain or (len(local_part) >= LOCAL_PART_LENGTH and local_part in plain)


def _is_common(plain: str) -> bool:
    """Whether it is a common word, more than once perhaps, with digits and signs at the ends."""
    letters = "".join(plain.split())
    core = letters.strip("0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    return any(word in COMMON for word in (letters, core, _unit(letters), _unit(core)))


def _unit(text: str) -> str:
    """The shortest part that the text is a repetition of: "abcabc" repeats "abc"."""
    return text[: (text + text).find(text, 1)] if text else text


def _follows_rows(plain: str) -> bool:
    """Whether nearly every character is the neighbour of the one before, on a keyboard or in a row.

    Runs may change, as in "qwertyuiop12": one character in six may step elsewhere.
    """
    steps = list(pairwise(plain))
    jumps = sum(
        (a, b) not in _NEIGHBOURS and (b, a) not in _NEIGHBOURS and a != b for a, b in steps
    )
    return jumps * 6 <= len(steps)
