"""The table of docs/oauth-conformance.md is complete, and the tests that it names are there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.docs.tables import ROOT

PAGE = ROOT / "docs" / "oauth-conformance.md"
# How many modules a plan of the suite has.
MODULES = {
    "Basic, Form Post": 38,
    "Config": 1,
    "RP-Initiated Logout": 11,
    "Back-Channel Logout": 2,
    "FAPI 2": 66,
}
_ROW = re.compile(r"^\| ([^|]+) \| `((?:oidcc|fapi2)-[\w-]+)` \| ([^|]+) \|$", re.MULTILINE)
_TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def modules() -> Sequence[tuple[str, str, str]]:
    """The rows of the table: plan, module, and what promises it."""
    return [(plan, name, text) for plan, name, text in _ROW.findall(PAGE.read_text())]


def test_every_module_of_the_plans_is_there_once() -> None:
    counted = Counter(plan for plan, _, _ in modules())
    assert counted == MODULES
    names = [(plan, name) for plan, name, _ in modules()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("module", "promise"), [row[1:] for row in modules()], ids=[row[1] for row in modules()]
)
def test_each_module_is_promised_by_tests_or_explained(module: str, promise: str) -> None:
    named = _TEST.findall(promise)
    assert named or promise.startswith("Not applicable: "), module
    for path, test in named:
        source = (Path(ROOT) / "tests" / path).read_text()
        assert re.search(rf"^(?:async )?def {test}\(", source, re.MULTILINE), (path, test)
