"""Every language says everything, and nothing is said that no page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.web.languages import DEFAULT, load_catalogs, placeholders
from portico_kit.oauth_scopes import SCOPES

ROOT = Path(__file__).parent.parent.parent
WEB = ROOT / "edge" / "web"
CATALOGS = load_catalogs()
REASONS = re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
# Chosen by what the core or HTTP says.
BY_REASON = ("refusals.", "rules.", "fields.", "errors.")
# Chosen by a value: a role, a month, a status, the page that is shown.
BY_VALUE = (
    "roles.",
    "dates.",
    "invitation_over.",
    "account.nav_",
    "challenge.by_",
    "challenge.sent_",
    "challenge.text_",
    "challenge.wrong_",
    "codes.text_",
    "codes.title_",
    "factor_types.",
    "security.about_",
    "security.add_",
    "profile.theme_",
    "confirm_email_change.",
    "revert_email_change.",
    "report_session.",
    "cancel_factor_reset.",
    # In English they are where the core takes them from.
    "scopes.",
)


def named_in_code() -> set[str]:
    """The keys that templates and code name."""
    files = [*WEB.rglob("*.html"), *WEB.rglob("*.py")]
    return {
        key
        for file in files
        for key in re.findall(r"""["']([a-z_]+\.[\w.]+)["']""", file.read_text())
    }


@pytest.mark.parametrize("language", [each for each in CATALOGS if each != DEFAULT])
def test_each_language_has_the_same_texts_with_the_same_places(language: str) -> None:
    ours, theirs = CATALOGS[DEFAULT].texts, CATALOGS[language].texts
    assert set(ours) | {f"scopes.{scope}" for scope in SCOPES} == set(theirs)
    for key, text in ours.items():
        assert placeholders(text) == placeholders(theirs[key]), key


def test_every_text_is_used() -> None:
    unused = {
        key
        for key in CATALOGS[DEFAULT].texts
        if not key.startswith(BY_REASON + BY_VALUE) and key not in named_in_code()
    }
    assert unused == set()


def test_refusals_have_the_names_that_the_core_gives_them() -> None:
    known = {*REASONS, "OTHER", "VALIDATION_ERROR", "UNAVAILABLE"}
    shown = {
        key.partition(".")[2] for key in CATALOGS[DEFAULT].texts if key.startswith("refusals.")
    }
    assert shown <= known


# What the methods that the pages call never refuse with, or the pages do not show as a sentence.
ELSEWHERE = {
    "INVITATION_ALREADY_USED",
    "INVITATION_DECLINED",
    "INVITATION_EXPIRED",
    "INVITATION_PENDING",
    "INVITATION_REVOKED",
    "MEMBER_NOT_FOUND",
    "ORGANIZATION_HAS_OWNER",
    "OWNER_NOT_MEMBER",
    "OWNER_SUSPENDED",
    "REFRESH_TOKEN_INVALID",
    "REFRESH_TOKEN_REUSED",
    "OWN_FACTOR_REQUIRED",
    "REMEMBERED_DEVICE_NOT_FOUND",
    "ROLE_NOT_GRANTABLE",
    "SELF_APPOINTMENT",
    "SESSION_NOT_FOUND",
    "USER_NOT_FOUND",
    "BROWSER_TOKEN_INVALID",
    "CONNECTION_LIMIT_REACHED",
    "LOGOUT_TOKEN_INVALID",
    "REQUEST_OBJECT_NOT_FOUND",
}
SHOWN_FEATURES = (
    "auth",
    "connections",
    "email_changes",
    "factor_codes",
    "factors",
    "organizations",
    "passkeys",
    "sms",
    "users",
)


@pytest.mark.parametrize("feature", SHOWN_FEATURES)
def test_whatever_a_person_can_be_refused_has_its_sentence(feature: str) -> None:
    errors = (ROOT / "server" / "features" / feature / "errors.py").read_text()
    reasons = set(re.findall(r'reason = "(\w+)"', errors)) - ELSEWHERE
    assert {
        reason for reason in reasons if not CATALOGS[DEFAULT].has(f"refusals.{reason}")
    } == set()
