"""Which passwords are refused: what a guesser tries first, and nothing that is merely plain."""

from __future__ import annotations

import pytest

from portico_kit.errors import InvalidRequestError
from server.features.users.password_policy import require_acceptable

EMAIL = "ada.lovelace@example.com"


def check(password: str, email: str = EMAIL) -> str:
    """The reason of the refusal, or ""."""
    try:
        require_acceptable(password, email, "new_password")
    except InvalidRequestError as error:
        (violation,) = error.violations
        assert violation.field == "new_password"
        return violation.reason
    return ""


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "gmxkzrtwqpvb",
        "all lower case and no digits",
        "9471 0382 5561",
        "Tr0ub4dor&3 and more",
        "пароль из трёх слов",
        "passwords are a pity",
    ],
)
def test_a_good_password_needs_no_special_signs(password: str) -> None:
    assert check(password) == ""


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaaaa",
        "abababababab",
        "111222111222",
        "123456789012",
        "abcdefghijklm",
        "zyxwvutsrqpon",
        "qwertyuiop12",
        "asdfghjkl;'zx",
        "1qaz2wsx3edc",
        "passwordpassword",
        "PasswordPassword1!",
        "Password2024!!",
        "administrator1",
        "welcome!!!!!",
        "letmeinletmein",
        "correct horse battery staple",
        "CorrectHorseBatteryStaple",
    ],
)
def test_what_a_guesser_tries_first_is_refused(password: str) -> None:
    assert check(password) == "PASSWORD_TOO_COMMON"


@pytest.mark.parametrize(
    "password",
    ["my ada.lovelace 42", "ADA.LOVELACE rocks", "it is ada.lovelace@example.com"],
)
def test_the_address_is_no_part_of_a_password(password: str) -> None:
    assert check(password) == "PASSWORD_CONTAINS_EMAIL"


def test_a_short_name_may_stand_in_a_password_by_chance() -> None:
    assert check("annual cannon planning", "ann@example.com") == ""
