"""What every test can ask for; see stack.py for what it gets."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from cli.run.watchdog import Watchdog
from tests.stack import PostgresServer, Stack, running_postgres, running_valkey

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("portico", deadline=None)
hypothesis.settings.load_profile("portico")


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
    finally:
        await platform.stop()
