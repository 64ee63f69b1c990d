"""An authorization service on a small core and real Valkey."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from cli.run.watchdog import Watchdog
from edge.settings import AuthorizeSettings
from portico_kit.testing.fake_core import INTERNAL_TOKEN, FakeCore
from tests.authorize.harness import Edge, running_edge
from tests.gateway.tokens import ORIGIN
from tests.stack import running_valkey


@pytest.fixture(scope="session")
async def valkey_url(short_folder: Path, watchdog: Watchdog) -> AsyncIterator[str]:
    """A Valkey of these tests' own, for they cut connections and make it hang."""
    async with running_valkey(short_folder / "authorize", watchdog) as url:
        yield url


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey_url) as client:
        yield client


@pytest.fixture
def runtime_dir() -> Iterator[Path]:
    """The folder of the sockets, a new one for each test."""
    with tempfile.TemporaryDirectory(prefix="portico-") as path:
        yield Path(path)


ENGINES = ("pygrpc-native", "grpcio")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What the gateway gets is tried with both engines, what is remembered with the default one."""
    if "settings" in metafunc.fixturenames:
        engines = ENGINES if metafunc.definition.path.name == "test_answers.py" else ENGINES[:1]
        metafunc.parametrize("settings", engines, indirect=True)


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, valkey_url: str, runtime_dir: Path
) -> AuthorizeSettings:
    return AuthorizeSettings.model_validate(
        {
            "redis_url": valkey_url,
            "runtime_dir": runtime_dir,
            "internal_token": INTERNAL_TOKEN,
            "public_url": f"{ORIGIN}/",
            "grpc_engine": request.param,
        }
    )


@pytest.fixture
async def core(settings: AuthorizeSettings) -> AsyncIterator[FakeCore]:
    core = FakeCore(settings.core_socket)
    await core.start()
    yield core
    await core.stop()


@pytest.fixture
async def edge(settings: AuthorizeSettings, core: FakeCore) -> AsyncIterator[Edge]:
    async with running_edge(settings, core) as edge:
        await edge.settle()
        yield edge
