"""A new folder is fenced the moment it exists: each offence of a new feature is refused by name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.tables import ROOT

ROOMS = ("cli", "contract", "edge", "kit", "server", "workers")

# What a feature must not do, and the name of the fence that it breaks.
OFFENCES = {
    "import portico_kit.rpc.access": "Features know no interceptor",
    "import workers.app": "Features know no interceptor",
    "import edge.settings": "Features know no interceptor",
    "import server.core": "Features know no interceptor",
    "import server.features.users.models": "Rows, queries and verbs belong to their feature",
    "import server.features.keys.repository": "Rows, queries and verbs belong to their feature",
    "import server.features.offender.service": "Inside a feature",
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house with one more feature in it, which does all of that at once."""
    house = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", house)
    for room in ROOMS:
        shutil.copytree(ROOT / room, house / room, ignore=shutil.ignore_patterns("__pycache__"))
    offender = house / "server" / "features" / "offender"
    offender.mkdir()
    for name in ("__init__", "service"):
        (offender / f"{name}.py").write_text("")
    (offender / "errors.py").write_text("\n".join(OFFENCES) + "\n")
    return house


@pytest.fixture(scope="module")
def report(house: Path) -> str:
    """What the fences say of it."""
    path = os.pathsep.join(str(house / room) for room in (".", "contract", "kit"))
    found = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=house,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "500"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1, found.stdout + found.stderr
    return found.stdout


def broken(report: str, fence: str) -> bool:
    """Whether a fence that begins like this is broken."""
    lines = [line for line in report.splitlines() if line.startswith(fence)]
    return any(line.endswith("BROKEN") for line in lines)


@pytest.mark.parametrize(("offence", "fence"), OFFENCES.items())
def test_a_new_feature_that_offends_is_refused(report: str, offence: str, fence: str) -> None:
    assert broken(report, fence), report
    assert f"-> {offence.removeprefix('import ')}" in report.replace("(l.", " (l."), report


def test_the_other_fences_are_kept(report: str) -> None:
    assert "The edge knows no feature and no worker, and never the database KEPT" in report
