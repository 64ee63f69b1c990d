"""What is worth what: kinds and channels of factors, as a pure rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portico_kit.assurance import (
    Assurance,
    Authentication,
    Requirement,
    amr,
    as_json,
    assurance,
    from_json,
    with_shown,
)

NOON = datetime(2026, 7, 15, 12, tzinfo=UTC)
MAX_AGE = timedelta(minutes=5)


def shown(*methods: str, at: datetime = NOON) -> list[Authentication]:
    return [Authentication(method, at) for method in methods]


@pytest.mark.parametrize(
    ("methods", "level"),
    [
        ((), Assurance.NONE),
        (("password",), Assurance.AAL1),
        (("email",), Assurance.AAL1),
        (("federated",), Assurance.AAL1),
        (("password", "totp"), Assurance.AAL2),
        (("password", "sms"), Assurance.AAL2),
        (("password", "email"), Assurance.AAL2),
        (("password", "recovery_code"), Assurance.AAL2),
        (("federated", "totp"), Assurance.AAL2),
        (("federated_mfa",), Assurance.AAL2),
        # Twice the same kind, however many.
        (("email", "sms", "totp"), Assurance.AAL1),
        (("password", "federated"), Assurance.AAL1),
        (("passkey",), Assurance.PHISHING_RESISTANT),
        (("password", "synced_passkey"), Assurance.PHISHING_RESISTANT),
    ],
)
def test_two_kinds_by_two_channels_make_the_second_level(
    methods: tuple[str, ...], level: Assurance
) -> None:
    assert assurance(shown(*methods)) == level


def test_a_password_that_was_set_by_mail_and_a_code_by_mail_are_one_factor() -> None:
    by_mail = Authentication("password", NOON, channel="mail")
    assert assurance([by_mail, *shown("email")]) == Assurance.AAL1
    assert assurance([by_mail, *shown("totp")]) == Assurance.AAL2


def test_the_names_are_those_of_rfc_8176() -> None:
    assert amr(shown("password")) == ["pwd"]
    assert amr(shown("password", "totp")) == ["mfa", "otp", "pwd"]
    assert amr(shown("passkey")) == ["hwk", "mfa", "user"]


def test_what_is_stored_reads_as_it_was_and_the_newest_of_a_method_counts() -> None:
    later = Authentication("totp", NOON + timedelta(seconds=30))
    all_shown = [Authentication("password", NOON, channel="mail"), *shown("totp")]
    kept = with_shown(all_shown, later)
    assert from_json(as_json(kept), NOON) == [all_shown[0], later]


@pytest.mark.parametrize(
    ("methods", "age", "missing"),
    [
        (("password",), 0, "factor"),
        (("password", "totp"), 300, None),
        (("password", "totp"), 301, "freshness"),
        (("totp", "email"), 0, "factor"),
    ],
)
def test_a_requirement_says_what_is_missing(
    methods: tuple[str, ...], age: int, missing: str | None
) -> None:
    asked = Requirement(Assurance.AAL2, MAX_AGE)
    assert asked.missing(shown(*methods), NOON + timedelta(seconds=age)) == missing


def test_the_second_factor_must_be_fresh_where_it_is_asked_for_not_the_first() -> None:
    asked = Requirement(Assurance.AAL2, MAX_AGE)
    old_totp = [*shown("totp", at=NOON - timedelta(hours=1)), *shown("password")]
    fresh_totp = [*shown("password", at=NOON - timedelta(hours=1)), *shown("totp")]
    assert asked.missing(old_totp, NOON) == "freshness"
    assert asked.missing(fresh_totp, NOON) is None


def test_what_is_asked_depends_on_what_the_person_has() -> None:
    if_enrolled = Requirement(
        Assurance.AAL1, MAX_AGE, second_factor=True, without_second_factor=False
    )
    assert if_enrolled.for_person(has_second_factor=False) is None
    wanted = if_enrolled.for_person(has_second_factor=True)
    assert wanted is not None
    assert wanted.level == Assurance.AAL2
    highest = Requirement(Assurance.AAL1, MAX_AGE, second_factor=True)
    assert highest.for_person(has_second_factor=False) == highest
