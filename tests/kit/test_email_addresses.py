# ruff: noqa: RUF001 (names and domains in the scripts of the world)
"""Promises about mail addresses: those that a mail can be sent to, each in one form."""

from __future__ import annotations

import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from protovalidate import Validator

from portico_kit.errors import InvalidRequestError
from server.common.email_addresses import (
    is_writable,
    new_email,
    normal_email,
)

VALIDATOR = Validator()

WRITABLE = [
    "a@b",
    "ada@example.com",
    "ada.lovelace+portico@mail.example.co.uk",
    "o'brien@example.com",
    "!#$%&'*+-/=^_`{|}~?@example.com",
    f"{'a' * 64}@example.com",
    f"a@{'b' * 63}.example",
    f"{'a' * 64}@{'.'.join(['b' * 46] * 4)}x",
    "ada@bücher.example",
    "ada@xn--bcher-kva.example",
    "ada@例え.テスト",
    "ada@उदाहरण.परीक्षा",
    "ada@münchen.example",
    "ada@ｅｘａｍｐｌｅ.com",
    "ada@4.example",
    "ada@نامه\u200cای.example",
    "ada@r3---sn-abc.example",
]
UNWRITABLE = [
    "",
    "ada",
    "@example.com",
    "ada@",
    "a..b@example.com",
    ".a@example.com",
    "a.@example.com",
    f"{'a' * 65}@example.com",
    f"a@{'b' * 64}.example",
    f"a@{'b' * 63}.{'b' * 63}.{'b' * 63}.{'b' * 63}",
    "ada@ex..ample",
    "ada@.example",
    "ada@example.",
    "ada@-example.com",
    "ada@example-.com",
    "ada@exa_mple.com",
    "ada@exa mple.com",
    "ada lovelace@example.com",
    '"ada lovelace"@example.com',
    "ada(comment)@example.com",
    "ada@[127.0.0.1]",
    "Ada <ada@example.com>",
    "ada@example.com,eve@example.com",
    "ada@example.com\r\nBcc: eve@example.com",
    "ada@example.com\n",
    "ada@eve@example.com",
    "=?utf-8?q?=0d=0aBcc:eve?=@example.com",
    "ådå@example.com",
    "ada@example。com",
    "ada@exam\u200bple.com",
    "ada@\u202eexample.com",
]
# What only the grammar of IDNA refuses.
NO_DOMAINS = ["ada@xn--a.example", "ada@bü--cher.example", "ada@bü.-x.example", "a@ü" + "ü" * 60]
# What no pattern refuses: addresses of hosts, which need brackets.
NUMBERS = ["ada@127.0.0.1", "ada@example.123", "ada@2130706433"]
# Letters that lower case or NFKC make ASCII of; their owner is somebody else.
LOOKALIKES = [f"{letter}da@example.com" for letter in "\u212a\uff41\u0130\u0131\u017f"]


def named(email: str) -> set[str]:
    """The rules that a registration with this address breaks."""
    request = auth.RegisterRequest(
        email=email, password="correct horse battery", display_name="Ada", accepted_terms=True
    )
    return {violation.proto.rule_id for violation in VALIDATOR.collect_violations(request)}


@pytest.mark.parametrize("email", WRITABLE)
def test_an_address_that_a_mail_can_be_sent_to_is_taken(email: str) -> None:
    assert named(email) == set()
    assert is_writable(new_email(email))
    assert new_email(email).isascii()


@pytest.mark.parametrize("email", UNWRITABLE)
def test_an_address_that_no_mail_can_be_sent_to_is_refused(email: str) -> None:
    assert "string.email_address" in named(email)


@pytest.mark.parametrize("email", [*NO_DOMAINS, *NUMBERS, *UNWRITABLE])
def test_no_mail_goes_where_the_contract_would_not_let_it(email: str) -> None:
    assert not is_writable(email)


@pytest.mark.parametrize("email", LOOKALIKES)
def test_a_letter_that_looks_like_one_of_ascii_is_no_such_letter(email: str) -> None:
    assert named(email)
    assert not normal_email(email).isascii()
    assert not is_writable(normal_email(email))


@pytest.mark.parametrize("email", [*NO_DOMAINS, *NUMBERS])
def test_a_domain_that_does_not_exist_is_refused(email: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        new_email(email)
    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == ("email", "STRING_EMAIL_ADDRESS")


@pytest.mark.parametrize(
    "written",
    [
        "ada@bücher.example",
        "ADA@BÜCHER.example",
        "ada@bu\u0308cher.example",
        "ada@xn--bcher-kva.example",
        "Ada@XN--BCHER-KVA.EXAMPLE",
        " ada@bücher.example ",
    ],
)
def test_an_address_has_one_form_however_it_is_written(written: str) -> None:
    assert normal_email(written) == "ada@xn--bcher-kva.example"


def test_letters_that_only_look_alike_are_other_domains() -> None:
    assert normal_email("ada@еxample.com") != normal_email("ada@example.com")
    assert normal_email("ada@straße.example") != normal_email("ada@strasse.example")


@pytest.mark.parametrize("email", ["A..b@Example.com", ".A@example.com", "ada@XN--A.example"])
def test_an_address_from_before_the_rule_is_still_found(email: str) -> None:
    assert normal_email(email) == email.lower()
