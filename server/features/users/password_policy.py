"""Which passwords are refused: those that a guesser tries first. No rules of composition.

The contract's rules say how long one must be; here is what they cannot say. A list has
those that leaked. How many guesses another one withstands is estimated by zxcvbn, from
common passwords, words and names, from dates, and from patterns of the keyboard.
"""

from __future__ import annotations

import unicodedata

from portico_kit.errors import InvalidRequestError, invalid
from server.features.users.known_passwords import is_known

# A shorter local part ("ann") stands in too many good passwords by chance.
LOCAL_PART_LENGTH = 4
# Fewer different characters than this are no secret at any length.
DIFFERENT_CHARACTERS = 5
# Ten times the least of zxcvbn's score 3: below it are "Password2024!!" and its like.
REQUIRED_GUESSES = 10**9
# The time that zxcvbn needs grows exponentially with the signs that may stand for
# letters ("p4$$w0rd"), up to seconds. A longer password is judged by its two ends.
EXAMINED_CHARACTERS = 20
# Good if everybody did not know them: the examples that advice about passwords gives.
EXAMPLES = frozenset({"correcthorsebatterystaple"})


def require_acceptable(password: str, email: str, field: str, display_name: str = "") -> None:
    """Refuses a password that is easily guessed.

    Args:
        email: the address of the account, in its normal form.
        field: the request's field that the password came in.
        display_name: the name of the account.

    Raises:
        InvalidRequestError: naming the field.
    """
    # In the form that is hashed: letters of another width are the same password.
    normal = unicodedata.normalize("NFKC", password)
    plain = normal.casefold()
    if _contains_address(plain, email):
        raise invalid(field, "PASSWORD_CONTAINS_EMAIL", "must not contain the email address")
    words = _known_words(email, display_name)
    if _is_simple(plain) or is_known(normal) or not _withstands_guessing(normal, words):
        raise invalid(field, "PASSWORD_TOO_COMMON", "is easily guessed; choose another one")


def same_password(first: str, second: str) -> bool:
    """Whether both are one password: in the form that is hashed they do not differ."""
    return unicodedata.normalize("NFKC", first) == unicodedata.normalize("NFKC", second)


def password_unchanged(field: str) -> InvalidRequestError:
    """The refusal of a new password that is the present one."""
    return invalid(field, "PASSWORD_UNCHANGED", "must not be the present password")


def _contains_address(plain: str, email: str) -> bool:
    local_part = email.partition("@")[0]
    return email in plain or (len(local_part) >= LOCAL_PART_LENGTH and local_part in plain)


def _is_simple(plain: str) -> bool:
    letters = "".join(plain.split())
    return len(set(plain)) < DIFFERENT_CHARACTERS or letters in EXAMPLES


def _known_words(email: str, display_name: str) -> list[str]:
    """What a guesser of this account's password knows: its address, its name, the product."""
    local_part, _, domain = email.partition("@")
    words = [local_part, domain, domain.partition(".")[0], display_name, *display_name.split()]
    return ["portico", *(word for word in words if word)]


def _withstands_guessing(password: str, known_words: list[str]) -> bool:
    """Whether one end of the password alone takes enough guesses; the whole takes no fewer."""
    # Its dictionaries take 9 MB, which a process has no use for until somebody chooses
    # a password.
    from zxcvbn_rs_py import zxcvbn

    ends = {password[:EXAMINED_CHARACTERS]: None, password[-EXAMINED_CHARACTERS:]: None}
    return any(zxcvbn(end, known_words).guesses >= REQUIRED_GUESSES for end in ends)
