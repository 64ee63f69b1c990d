"""A rate limit service on real Valkey, behind a real channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from edge.settings import RateLimitSettings
from portico_kit.testing.clocks import NOON, FakeClock
from tests.ratelimit.harness import Gateway, Organizations, running_limiter

# A test machine may stand still for longer than a gateway would wait.
PATIENT = 10.0


@pytest.fixture(scope="session")
def the_clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def clock(the_clock: FakeClock) -> FakeClock:
    """The service's clock, at noon."""
    the_clock.now = NOON
    return the_clock


@pytest.fixture(scope="session")
async def the_gateway(
    valkey_url: str, short_folder: Path, the_clock: FakeClock
) -> AsyncIterator[Gateway]:
    settings = RateLimitSettings(
        redis_url=valkey_url, runtime_dir=short_folder / "limits", ratelimit_timeout=PATIENT
    )
    async with running_limiter(settings, the_clock) as gateway:
        yield gateway


@pytest.fixture
def gateway(the_gateway: Gateway, clock: FakeClock) -> Gateway:
    """Asks the service, at noon."""
    return the_gateway


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncIterator[Redis]:
    """The service's Valkey, empty."""
    async with Redis.from_url(valkey_url, decode_responses=True) as client:
        await client.flushdb()
        yield client


@pytest.fixture(scope="session")
async def organizations(valkey_url: str, the_gateway: Gateway) -> AsyncIterator[Organizations]:
    """Organizations with limits of their own."""
    async with Redis.from_url(valkey_url) as client:
        yield Organizations(client, the_gateway)
