"""Commands for tests, none of which outlives its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.running import Run

Launch = Callable[..., Run]


@pytest.fixture
def home(short_folder: Path, request: pytest.FixtureRequest) -> Path:
    """A state folder for the test."""
    return short_folder / f"c{abs(hash(request.node.name)) % 100000}"


@pytest.fixture
def launch(home: Path) -> Iterator[Launch]:
    """Starts a command: launch("run", PORTICO_REST_PORT="1234")."""
    started: list[Run] = []

    def start(command: str, **variables: str) -> Run:
        run = Run(command, home, variables)
        started.append(run)
        return run

    yield start
    for run in started:
        run.discard()
