"""The relay while its bus is away for a minute, and as fast as it can: python -m bench.relay

Events come at a steady rate, numbered by the fan-out; the broker is killed in between and
started again. What must be so is asserted: nothing lost, the order kept.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import psutil

from cli.run.watchdog import Watchdog
from portico_kit.clock import utc_now
from portico_kit.secrets import Secrets
from portico_kit.storage.base import create_engine
from portico_kit.testing.waiting import eventually
from server.features.relay.bus import Bus
from server.features.relay.kafka import KafkaBus, KafkaSecurity
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from tests.stack import running_postgres
from tests.workers.harness import Tenants
from tests.workers.kafka import Kafka, by_organization
from tests.workers.relays import SOURCE, relaying
from tests.workers.test_relay import StreamServer, orders, positions

AWAY_SECONDS = float(os.environ.get("AWAY_SECONDS", "60"))
ORGANIZATIONS = 20
EVENTS = 20_000

Step = Callable[[], Awaitable[None]]
# How many entries the bus has, repeats included, and the numbers of each organization's events.
Told = Callable[[int], Awaitable[tuple[int, dict[str, list[int]]]]]


async def nobody(_due: object) -> None:
    """There are no webhooks."""


async def add(tenants: Tenants, organizations: list[UUID], each: int) -> int:
    """Events of each organization, numbered; gives how many."""
    for organization_id in organizations:
        await tenants.events(organization_id, each)
    await EventFanOut(tenants.sessions, utc_now, nobody)()
    return each * len(organizations)


async def caught_up(tenants: Tenants, number: int) -> None:
    """Waits until the database says that the bus has all."""

    async def all_there() -> bool:
        found = await positions(tenants)
        return len(found) == ORGANIZATIONS and set(found.values()) == {number}

    await eventually(all_there, 180, 0.1)


async def measure(url: str, bus: Bus, kill: Step, start: Step, told: Told) -> None:
    """One bus, from the first event to the last, with an outage in between."""
    engine = create_engine(url)
    tenants = Tenants(engine, Secrets(bytes(32)))
    organizations = [await tenants.organization() for _ in range(ORGANIZATIONS)]
    each = EVENTS // ORGANIZATIONS
    await add(tenants, organizations, each)
    process = psutil.Process()
    async with relaying(url, bus):
        before, began = process.cpu_times(), time.monotonic()
        await caught_up(tenants, each)
        seconds, after = time.monotonic() - began, process.cpu_times()
        cpu = after.user + after.system - before.user - before.system
        print(
            f"{bus.name}: {EVENTS} events in {seconds:.1f} s, {cpu / EVENTS * 1e6:.0f} us CPU each"
        )
        await kill()
        away = time.monotonic()
        number = each
        while time.monotonic() - away < AWAY_SECONDS:
            await add(tenants, organizations, 5)
            number += 5
            await asyncio.sleep(1)
        await start()
        back = time.monotonic()
        await add(tenants, organizations, 5)
        number += 5
        await caught_up(tenants, number)
        behind = time.monotonic() - back
    total = number * ORGANIZATIONS
    entries, found = await told(total)
    assert found == {str(one): list(range(1, number + 1)) for one in organizations}
    print(
        f"{bus.name}: away for {AWAY_SECONDS:.0f} s: {total} events, 0 lost, in order, "
        f"{entries - total} repeated, caught up {behind:.1f} s after it was back",
        flush=True,
    )
    await engine.dispose()


async def main() -> None:
    """Both buses, each with a database of its own."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="relay-")))
        watchdog = stack.enter_context(Watchdog())
        postgres = await stack.enter_async_context(running_postgres(folder / "pg", watchdog))
        await asyncio.to_thread(postgres.make_template)
        streams = StreamServer(folder / "bus", watchdog)
        await streams.start()

        async def in_stream(_total: int) -> tuple[int, dict[str, list[int]]]:
            entries = await streams.entries()
            return len(entries), orders(entries)

        with postgres.fresh_database() as url:
            await measure(url, streams.bus, streams.kill, streams.start, in_stream)
        await streams.stop()
        kafka = Kafka(folder / "kafka", watchdog)
        await kafka.prepare()
        await kafka.start()
        topic = await kafka.topic()

        async def in_topic(total: int) -> tuple[int, dict[str, list[int]]]:
            messages = await kafka.messages(topic, total, 120)
            return len(messages), by_organization(messages)

        bus = KafkaBus(kafka.servers, topic, SOURCE, KafkaSecurity(), 1_000_000)
        with postgres.fresh_database() as url:
            await measure(url, bus, kafka.kill, kafka.start, in_topic)
        await kafka.kill()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
