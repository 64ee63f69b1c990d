"""What the tests of the relay share: events to relay, and a relay in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from server.common.records import Event
from server.features.relay.bus import Bus
from server.features.relay.event_log import Wanted
from server.features.relay.relay import Relay
from tests.workers.harness import Tenants

SOURCE = "https://api.example.com"


@asynccontextmanager
async def relaying(
    database_url: str, bus: Bus, wanted: Wanted | None = None, *, latest: bool = False
) -> AsyncIterator[Relay]:
    """A relay, for as long as the block lasts."""
    relay = Relay(database_url, bus, wanted or Wanted(), latest)
    running = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        await running


async def add(
    tenants: Tenants,
    organization_id: UUID,
    count: int,
    event_type: str = "key.created",
    *,
    size: int = 100,
    platform: bool = False,
) -> None:
    """Events of an organization, each in a transaction of its own."""
    for _ in range(count):
        data = {"name": "Schlüssel", "text": "x" * size}
        event = Event(
            organization_id=organization_id, type=event_type, platform=platform, data=data
        )
        async with tenants.sessions.begin() as db:
            db.add(event)
