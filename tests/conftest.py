"""What every test can ask for, and how tests are shared out among processes; see README.md."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from cli.main import leave_out_rich
from cli.run.watchdog import Watchdog
from tests.stack import PostgresServer, Stack, running_postgres, running_valkey
from tests.support.event_schemas import faults_of_events

# Compiled once: each of the processes that tests start would compile our sources and the tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Thousands of tests are made, and none of them goes away: there is nothing to look for.
gc.disable()

# As our processes do: tracebacks in its colours take seconds each.
leave_out_rich()

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("portico", deadline=None)
hypothesis.settings.load_profile("portico")

# What takes longest goes first, so that no process is left with it at the end.
SLOW = (
    "tests/platform/",
    "tests/browser/",
    "tests/cli/test_restarts.py",
    "tests/workers/test_processes.py",
    "tests/house/test_pages.py",
    "tests/cli/test_run.py",
    "tests/cli/",
    "tests/core/rpc/",
    "tests/workers/",
    "tests/migrations/",
    "tests/core/organizations/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests in order."""
    items.sort(key=lambda item: place(item.nodeid))


def pytest_collection_finish() -> None:
    """Has garbage collected from now on, less often, and leaves out what stays until the end."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


def place(nodeid: str) -> int:
    """Where a test comes: the smaller, the sooner."""
    return next((at for at, start in enumerate(SLOW) if nodeid.startswith(start)), len(SLOW))


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out together what shares something that takes long to set up."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Takes the place of --dist; its own groups (loadgroup) do not work with pytest 9.2."""
    return Scheduling(config, log)


def group_of(nodeid: str) -> str:
    """The name of the tests that have to run in the process that this one runs in."""
    path, _, name = nodeid.partition("::")
    if path.startswith("tests/platform/") or path == "tests/cli/test_administrator.py":
        return "the whole platform"
    if path.startswith("tests/browser/"):
        return "the browser"
    if path.startswith("tests/core/rpc/") and "[grpcio" in name:
        return "the core on the second engine"
    if path == "tests/workers/test_processes.py" and "refuses" not in name:
        return nodeid  # each starts processes of its own
    return path


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A temporary folder whose path leaves room for the names of unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="portico-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def watchdog() -> Iterator[Watchdog]:
    """The guard that ends every process even if the tests are killed."""
    with Watchdog() as guard:
        yield guard


@pytest.fixture(scope="session")
async def postgres(short_folder: Path, watchdog: Watchdog) -> AsyncIterator[PostgresServer]:
    """A PostgreSQL server that makes fresh databases."""
    async with running_postgres(short_folder / "pg", watchdog) as server:
        await asyncio.to_thread(server.make_template)
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: PostgresServer) -> str:
    """The admin database of the server."""
    return postgres.url


@pytest.fixture
def database_url(postgres: PostgresServer) -> Iterator[str]:
    """A fresh, migrated database."""
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
async def valkey_url(short_folder: Path, watchdog: Watchdog) -> AsyncIterator[str]:
    """A Valkey server."""
    async with running_valkey(short_folder / "vk", watchdog) as url:
        yield url


@pytest.fixture(scope="session")
async def stack(short_folder: Path, watchdog: Watchdog) -> AsyncIterator[Stack]:
    """The whole platform, up and ready."""
    platform = Stack(short_folder / "stack", watchdog)
    try:
        await platform.start()
        yield platform
        # What its tests have emitted is what the catalogue says.
        assert faults_of_events(platform.database_url) == []
    finally:
        await platform.stop()
