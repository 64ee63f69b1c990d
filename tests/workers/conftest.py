"""What the tests of the workers can ask for."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.run.watchdog import Watchdog
from portico_kit.secrets import Secrets
from portico_kit.storage.base import create_engine
from portico_kit.testing.clocks import OffsetClock
from server.common.outbound_addresses import AddressPolicy
from server.features.webhooks.delivery.deliverer import Capacity, Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery.http import WebhookClient
from tests.stack import PostgresServer
from tests.workers.harness import Receiver, Subscription, Tenants, receiving
from tests.workers.processes import Platform

MASTER_KEY = os.urandom(32)


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    """The keys of the platform under test."""
    return Secrets(MASTER_KEY)


@pytest.fixture
def database_url(postgres: PostgresServer) -> Iterator[str]:
    """A migrated database without rows."""
    with postgres.emptied_database() as url:
        yield url


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database of the test's own."""
    engine = create_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def tenants(engine: AsyncEngine, secrets: Secrets) -> Tenants:
    """The tenants of the platform under test."""
    return Tenants(engine, secrets)


@pytest.fixture
def clock() -> OffsetClock:
    """The time, which a test can move on."""
    return OffsetClock()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A customer's endpoint that accepts everything."""
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def webhook(tenants: Tenants, receiver: Receiver) -> Subscription:
    """A webhook for everything that happens in an organization, where something just did."""
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    await tenants.event(organization)
    return webhook


NewDeliverer = Callable[..., Awaitable[Deliverer]]


@pytest.fixture
async def new_deliverer(tenants: Tenants, clock: OffsetClock) -> AsyncIterator[NewDeliverer]:
    """Makes a deliverer, as each worker process has one."""
    async with AsyncExitStack() as stack:

        async def make(capacity: Capacity | None = None, seconds: float = 5.0) -> Deliverer:
            client = WebhookClient(AddressPolicy(allow_loopback=True), clock, "test", seconds)
            stack.push_async_callback(client.close)
            return Deliverer(tenants.sessions, client, tenants.secrets, clock, capacity=capacity)

        yield make


@pytest.fixture
async def deliverer(new_deliverer: NewDeliverer) -> Deliverer:
    """The deliverer of a worker."""
    return await new_deliverer()


@pytest.fixture
def fan_out_events(tenants: Tenants, clock: OffsetClock, deliverer: Deliverer) -> EventFanOut:
    """Tells all pending events; `await deliverer.settle()` waits for the receivers."""
    return EventFanOut(tenants.sessions, clock, deliverer.deliver, deliverer)


@pytest.fixture
def platform(tmp_path: Path, watchdog: Watchdog, database_url: str, valkey_url: str) -> Platform:
    """Where workers run as processes."""
    return Platform(tmp_path, watchdog, database_url, valkey_url, MASTER_KEY)
