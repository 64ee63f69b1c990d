"""Who follows docs/add-a-feature.md and docs/add-a-method.md gets what they promise.

The blocks of the pages are what is done here, in a copy of the project.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.drift import copy_checkout
from tests.docs.tables import ROOT

# "New `path`:" or "`path`, below `line`:", and the block that follows.
STEP = re.compile(
    r"^(?:New `(?P<new>[^`]+)`"
    r"|`(?P<path>[^`]+)`, (?P<side>above|below) (?P<quote>`+)(?P<line>.+?)(?P=quote))"
    r":\n\n```\w*\n(?P<block>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PAGES = ("add-a-feature.md", "add-a-method.md")
TOOLS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which somebody has followed both pages."""
    house = tmp_path_factory.mktemp("pages")
    copy_checkout(ROOT, house)
    newest = max(path.stem for path in (house / "server/migrations/versions").glob("20*.py"))
    for page in PAGES:
        for step in STEP.finditer((ROOT / "docs" / page).read_text()):
            follow(house, step)
    migration = house / "server/migrations/versions/2027_01_15_0900_notes.py"
    before = f'down_revision = "{newest[: len("2027_01_15_0900")]}"'
    migration.write_text(re.sub(r"down_revision = .*", before, migration.read_text()))
    run(house, sys.executable, "-m", "cli", "generate")
    return house


def follow(house: Path, step: re.Match[str]) -> None:
    """Does one step of a page."""
    path, block = house / (step["new"] or step["path"]), step["block"]
    if step["new"]:
        assert not path.exists(), path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block)
        return
    lines = path.read_text().splitlines(keepends=True)
    [place] = [at for at, line in enumerate(lines) if step["line"] in line]
    lines.insert(place + (step["side"] == "below"), block)
    path.write_text("".join(lines))


def run(house: Path, *command: str | Path) -> str:
    """What a command says that must succeed."""
    path = os.pathsep.join(str(house / room) for room in (".", "contract", "kit"))
    path += f"{os.pathsep}{house / 'generated' / 'python'}"
    done = subprocess.run(
        command,
        cwd=house,
        env={**os.environ, "PYTHONPATH": path, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_block_of_the_pages_is_a_step() -> None:
    for page in PAGES:
        text = (ROOT / "docs" / page).read_text()
        assert len(STEP.findall(text)) == text.count("```") / 2 - text.count("````"), page


def test_the_new_methods_are_served_and_nothing_is_forgotten(house: Path) -> None:
    report = run(
        house,
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/core/notes"),
        "tests/house/test_features.py",
        "tests/migrations/test_revisions.py::test_the_newest_revision_is_what_the_models_say",
        "tests/migrations/test_revisions.py::test_there_is_one_history_and_the_folder_shows_it_in_its_order",
    )
    assert " passed" in report


def test_the_new_methods_are_in_the_gateway_and_in_openapi(house: Path) -> None:
    paths = json.loads((house / "generated" / "openapi.json").read_text())["paths"]
    assert set(paths["/api/v1/notes/{noteId}"]) >= {"get", "delete"}
    assert "post" in paths["/api/v1/organizations/{organizationId}/notes"]
    gateway = (house / "envoy" / "envoy.yaml").read_text()
    for method in ("CreateNote", "GetNote", "DeleteNote"):
        assert f"/portico.notes.v1.NoteService/{method}" in gateway


def test_the_new_files_are_within_the_fences_and_in_style(house: Path) -> None:
    run(house, TOOLS / "lint-imports", "--no-cache")
    mine = ("server/features/notes", "tests/core/notes", "server/migrations", "server/app.py")
    run(house, TOOLS / "ruff", "check", "--no-cache", *mine)
    run(house, TOOLS / "ruff", "format", "--check", "--no-cache", *mine)
    run(house, TOOLS / "buf", "lint", "generated/descriptor.binpb", "--path", "portico")
