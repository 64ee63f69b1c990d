"""A folder that was moved works again with the next `make run`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "tiny"
version = "1"
scripts = {tiny = "tiny:main"}
[tool.setuptools]
py-modules = ["tiny"]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small project with an environment of its own, installed as .ci/install does it."""
    folder = tmp_path / "here"
    (folder / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "install", folder / ".ci" / "install")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "empty.lock").write_text("")
    (folder / "tiny.py").write_text("def main():\n    print(__file__)\n")
    execute(folder, sys.executable, "-m", "venv", ".venv")
    execute(folder, ".venv/bin/python", "-m", "pip", "uninstall", "--quiet", "-y", "setuptools")
    # What builds the project comes from this environment: nothing is fetched.
    [packages] = (folder / ".venv" / "lib").glob("python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    execute(folder, ".venv/bin/python", "-m", "pip", *BUILD.split())
    stamps = folder / ".venv" / "installed"
    stamps.mkdir()
    (stamps / "empty.lock").write_text(PROJECT)
    return folder


BUILD = "install --quiet --no-deps --no-build-isolation --disable-pip-version-check -e ."


def test_the_environment_of_a_folder_that_was_moved_is_mended(checkout: Path) -> None:
    assert execute(checkout, ".venv/bin/tiny") == f"{checkout}/tiny.py\n"
    for name in ("there", "with a space"):
        checkout = checkout.rename(checkout.parent / name)
        assert "mending it" in execute(checkout, ".ci/install", "empty.lock")
        assert execute(checkout, ".venv/bin/tiny") == f"{checkout}/tiny.py\n"
        assert execute(checkout, ".ci/install", "empty.lock") == ""


def execute(folder: Path, *command: str) -> str:
    """Runs a command in a folder and gives what it printed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
