"""Node for tests of the TypeScript clients: needed in CI, and where it is installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.gateway.settings import ROOT

INSTALL_SECONDS = 100
COMPILE_SECONDS = 60
# What `npm ci` made of a lock file, by the lock's digest.
CACHE = ROOT / ".venv" / "node"

# Skips where Node is missing, and says so by the test's name; in CI nothing is skipped.
requires_node = pytest.mark.skipif(
    shutil.which("npm") is None and not os.environ.get("CI"), reason="Node is not installed"
)


def node_modules(package: Path) -> Path:
    """The dependencies of a package that has a lock file; installed once for each lock."""
    lock = (package / "package-lock.json").read_bytes()
    home = CACHE / hashlib.sha256(lock).hexdigest()[:16]
    if not home.is_dir():
        unfinished = CACHE / f"{home.name}.{os.getpid()}"
        unfinished.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(package / name, unfinished)
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
        run(["npm", "ci", *quiet], unfinished, INSTALL_SECONDS)
        try:
            unfinished.rename(home)
        except OSError:
            # Another process was faster.
            assert home.is_dir()
            shutil.rmtree(unfinished)
    return home / "node_modules"


def build(package: Path, sources: Path, out: Path) -> Path:
    """Type-checks and compiles a package together with generated sources, and gives the result."""
    shutil.copytree(package, out, dirs_exist_ok=True)
    shutil.copytree(sources, out, dirs_exist_ok=True)
    (out / "node_modules").symlink_to(node_modules(package))
    run(["node", "node_modules/typescript/bin/tsc"], out, COMPILE_SECONDS)
    return out / "built"


def run(command: list[str], folder: Path, seconds: float) -> str:
    """Runs a program to its end and gives what it printed.

    Raises:
        AssertionError: if it fails, with what it said.
    """
    done = subprocess.run(
        command, cwd=folder, timeout=seconds, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout
