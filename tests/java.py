"""Java for tests with a real Kafka: needed in CI, and where it is installed with Maven.

What a pom.xml names is fetched once into Maven's own folder, and is shared by all checkouts.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from edge.gateway.settings import ROOT
from tests.node import run

FETCH_SECONDS = 300
# The paths of what Maven has fetched, by the digest of the pom.xml that names it.
CACHE = ROOT / ".venv" / "java"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"

# Skips where Java or Maven is missing, and says so by the test's name; in CI nothing is skipped.
requires_java = pytest.mark.skipif(
    not os.environ.get("CI") and not (shutil.which("java") and shutil.which("mvn")),
    reason="Java and Maven are not installed",
)


def classpath(package: Path) -> str:
    """Everything that the pom.xml of a folder names, as Java takes it."""
    pom = package / "pom.xml"
    known = CACHE / f"{hashlib.sha256(pom.read_bytes()).hexdigest()[:16]}.classpath"
    if not known.exists() or not all(map(os.path.exists, known.read_text().split(":"))):
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = CACHE / f"{known.name}.{os.getpid()}"
        quietly = ("mvn", "--quiet", "--batch-mode", f"--file={pom}")
        run(
            [*quietly, f"{PLUGIN}:build-classpath", f"-Dmdep.outputFile={unfinished}"],
            package,
            FETCH_SECONDS,
        )
        unfinished.rename(known)
    return known.read_text().strip()
