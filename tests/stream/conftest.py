"""The process that writes streams, in front of a real core."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr

from edge.stream.main import streams
from edge.stream.settings import StreamSettings
from tests.core.conftest import organization_id as organization_id
from tests.core.conftest import own_time as own_time
from tests.core.conftest import owner as owner
from tests.core.conftest import running
from tests.core.events.conftest import event_client as event_client
from tests.core.world import INTERNAL_TOKEN, World
from tests.stack import PostgresServer


@pytest.fixture(scope="session")
def stream_database_url(postgres: PostgresServer) -> Iterator[str]:
    """One migrated database for all of these tests."""
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
async def world(stream_database_url: str, valkey_url: str) -> AsyncIterator[World]:
    """A running core with the rate limit service beside it."""
    async with running("pygrpc-native", stream_database_url, valkey_url) as world:
        yield world


@pytest.fixture(scope="session")
def settings(world: World, valkey_url: str) -> StreamSettings:
    """Settings of the process beside the core."""
    return StreamSettings(
        runtime_dir=world.runtime_dir,
        redis_url=valkey_url,
        internal_token=SecretStr(INTERNAL_TOKEN),
    )


@pytest.fixture(scope="session")
async def stream_socket(settings: StreamSettings) -> AsyncIterator[Path]:
    """The process, served on a socket."""
    async with streams(settings):
        yield settings.stream_socket


@pytest.fixture
async def http(stream_socket: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """What stands in the gateway's place: a client of the socket."""
    connector = aiohttp.UnixConnector(str(stream_socket))
    async with aiohttp.ClientSession("http://portico", connector=connector) as session:
        yield session
