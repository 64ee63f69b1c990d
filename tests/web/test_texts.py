"""Every language says everything, and nothing is said that no page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.web.languages import DEFAULT, load_catalogs, placeholders

ROOT = Path(__file__).parent.parent.parent
WEB = ROOT / "edge" / "web"
CATALOGS = load_catalogs()
REASONS = re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
# Chosen by what the core or HTTP says.
BY_REASON = ("refusals.", "rules.", "fields.", "errors.")


def named_in_code() -> set[str]:
    """The keys that templates and code name."""
    files = [*WEB.rglob("*.html"), *WEB.rglob("*.py")]
    return {key for file in files for key in re.findall(r'"([a-z_]+\.[\w.]+)"', file.read_text())}


@pytest.mark.parametrize("language", [each for each in CATALOGS if each != DEFAULT])
def test_each_language_has_the_same_texts_with_the_same_places(language: str) -> None:
    ours, theirs = CATALOGS[DEFAULT].texts, CATALOGS[language].texts
    assert set(ours) == set(theirs)
    for key, text in ours.items():
        assert placeholders(text) == placeholders(theirs[key]), key


def test_every_text_is_used() -> None:
    unused = {
        key
        for key in CATALOGS[DEFAULT].texts
        if not key.startswith(BY_REASON) and key not in named_in_code()
    }
    assert unused == set()


def test_refusals_have_the_names_that_the_core_gives_them() -> None:
    known = {*REASONS, "OTHER", "VALIDATION_ERROR", "UNAVAILABLE"}
    shown = {
        key.partition(".")[2] for key in CATALOGS[DEFAULT].texts if key.startswith("refusals.")
    }
    assert shown <= known
