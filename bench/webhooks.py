"""Webhooks: what one delivery costs, and what tenants with hanging receivers cost another.

A worker process as in production, receivers on loopback; events are put where the core
puts them, as rows of the outbox, and the worker is woken as the core wakes it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

import psycopg
from aiohttp import web
from redis.asyncio import Redis

from bench.cpu import snapshot
from cli.run.process import Command, spawn
from cli.run.watchdog import Watchdog
from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from portico_kit.tasks.names import EVENT_TASK
from portico_kit.tasks.notifier import WORKERS_ALIVE, CeleryTaskNotifier
from server.features.webhooks.secret import new_secret, seal
from tests.stack import environment_for, running_postgres, running_valkey

HANGING_TENANTS = 5
HANGING_WEBHOOKS = 100
# Of the healthy tenant, and so many seconds apart; each hanging tenant has one a second.
EVENTS = 300
PAUSE = 0.1
HANGING_EVENTS_EVERY = 10
# Of a steady tenant that is alone, and so many seconds apart: fifty a second.
STEADY_EVENTS = 500
STEADY_PAUSE = 0.02
# What has not come by then, in seconds after the last event, counts as never.
PATIENCE = 30.0
DELIVERIES = 3000
# Events before anything is measured.
WARM_UP = 10

T = TypeVar("T")


@dataclass(frozen=True)
class Waits:
    """From the commit of an event to the first attempt at a healthy receiver.

    Attributes:
        seconds: sorted; one for each event whose delivery came.
        missing: events whose delivery did not come in time.
        pending: deliveries that were pending at the end, of all tenants.
        cpu_ms: CPU time for each event, in milliseconds, by process.
    """

    seconds: list[float]
    missing: int
    pending: int
    cpu_ms: Mapping[str, float]

    def percentile(self, share: float) -> float:
        """The wait that this share of all events did not exceed, in milliseconds."""
        waits = [*self.seconds, *[float("inf")] * self.missing]
        return waits[min(int(len(waits) * share), len(waits) - 1)] * 1000


@dataclass(frozen=True)
class Throughput:
    """What deliveries to receivers that answer at once cost.

    Attributes:
        webhooks: of the one tenant that there is.
        rate: deliveries in a second.
        cpu_ms: CPU time for each, in milliseconds, by process.
    """

    webhooks: int
    rate: float
    cpu_ms: Mapping[str, float]

    def __str__(self) -> str:
        """The figures in one line."""
        return f"{self.rate:.0f} a second, {cpu_time(self.cpu_ms)}"


def cpu_time(cpu_ms: Mapping[str, float]) -> str:
    """The CPU time of one delivery, in words."""
    parts = ", ".join(f"{name} {value:.2f}" for name, value in cpu_ms.items())
    return f"{sum(cpu_ms.values()):.2f} ms of CPU time each ({parts})"


@dataclass(frozen=True)
class WebhookFindings:
    """Everything that was found about webhooks."""

    alone: Waits
    steady: Waits
    beside_hanging: Waits
    throughput: list[Throughput]


@dataclass
class Receivers:
    """One that answers at once and one that never does.

    Attributes:
        arrived: when an event came to the first, by its id.
        count: how many deliveries came to the first.
    """

    port: int = 0
    arrived: dict[str, float] = field(default_factory=dict)
    count: int = 0

    async def accept(self, request: web.Request) -> web.Response:
        """Takes the time of a delivery."""
        self.arrived.setdefault(json.loads(await request.read())["id"], time.monotonic())
        self.count += 1
        return web.Response()

    async def hang(self, _request: web.Request) -> web.Response:
        """Gives no answer until the other side has had enough."""
        await asyncio.sleep(3600)
        return web.Response()

    def url(self, path: str) -> str:
        """Where a receiver is."""
        return f"http://127.0.0.1:{self.port}/{path}"


@dataclass(frozen=True)
class Site:
    """A worker and what it works on."""

    database: psycopg.AsyncConnection
    secrets: Secrets
    notifier: CeleryTaskNotifier
    receivers: Receivers
    pids: Mapping[str, int]

    async def tenant(self, url: str, webhooks: int) -> UUID:
        """A new organization with so many webhooks for everything."""
        organization_id = new_id()
        name = uuid4().hex
        await self.database.execute(
            "insert into organizations (id, name, slug, tier, version) "
            "values (%s, %s, %s, 'enterprise', 1)",
            (organization_id, name, name),
        )
        for _ in range(webhooks):
            await self.database.execute(
                "insert into webhooks (id, organization_id, url, event_types, description, enabled,"
                " sealed_secret, version) values (%s, %s, %s, '{*}', '', true, %s, 1)",
                (new_id(), organization_id, url, seal(self.secrets, new_secret())),
            )
        return organization_id

    async def event(self, organization_id: UUID, count: int = 1) -> list[str]:
        """New events; the worker is woken."""
        ids = await self.add_events(organization_id, count)
        self.wake()
        return ids

    def wake(self) -> None:
        """Wakes the worker, as the core does after a commit."""
        self.notifier.notify(EVENT_TASK)

    async def add_events(self, organization_id: UUID, count: int) -> list[str]:
        """New events of which no worker knows yet."""
        ids = [new_id() for _ in range(count)]
        async with self.database.cursor() as cursor:
            await cursor.executemany(
                "insert into events (id, organization_id, type, data)"
                " values (%s, %s, 'key.created', '{\"name\": \"bench\"}')",
                [(event_id, organization_id) for event_id in ids],
            )
        return [str(event_id) for event_id in ids]

    async def pending(self) -> int:
        """How many deliveries are pending."""
        query = "select count(*) from deliveries where status = 'pending'"
        row = await (await self.database.execute(query)).fetchone()
        return int(row[0]) if row else 0


async def measure_webhooks(folder: Path, watchdog: Watchdog) -> WebhookFindings:
    """Measures everything, each on a platform of its own."""
    return WebhookFindings(
        alone=await _on_site(folder / "alone", watchdog, _waits_alone),
        steady=await _on_site(folder / "steady", watchdog, _waits_steady),
        beside_hanging=await _on_site(folder / "hanging", watchdog, _waits_beside_hanging),
        throughput=[
            await _on_site(folder / "one", watchdog, lambda site: _throughput(site, 1)),
            await _on_site(folder / "ten", watchdog, lambda site: _throughput(site, 10)),
        ],
    )


async def _on_site(folder: Path, watchdog: Watchdog, work: Callable[[Site], Awaitable[T]]) -> T:
    async with _site(folder, watchdog) as site:
        return await work(site)


async def _waits_alone(site: Site) -> Waits:
    return await _waits(site, [])


async def _waits_steady(site: Site) -> Waits:
    return await _waits(site, [], STEADY_EVENTS, STEADY_PAUSE)


async def _waits_beside_hanging(site: Site) -> Waits:
    url = site.receivers.url("hang")
    hanging = [await site.tenant(url, HANGING_WEBHOOKS) for _ in range(HANGING_TENANTS)]
    return await _waits(site, hanging)


async def _waits(
    site: Site, hanging: list[UUID], events: int = EVENTS, pause: float = PAUSE
) -> Waits:
    healthy = await site.tenant(site.receivers.url("accept"), 1)
    await _warm_up(site, healthy, 1)
    sent: dict[str, float] = {}
    before, started = snapshot(site.pids), time.monotonic()
    for number in range(events):
        if number % HANGING_EVENTS_EVERY == 0:
            for organization_id in hanging:
                await site.event(organization_id)
        (event_id,) = await site.event(healthy)
        sent[event_id] = time.monotonic()
        await asyncio.sleep(max(0.0, started + (number + 1) * pause - time.monotonic()))
    deadline = time.monotonic() + PATIENCE
    arrived = site.receivers.arrived
    await _until(lambda: sent.keys() <= arrived.keys() or time.monotonic() > deadline)
    cpu = _cpu_since(before, site, events)
    waits = sorted(max(0.0, arrived[each] - sent[each]) for each in sent if each in arrived)
    return Waits(waits, events - len(waits), await site.pending(), cpu)


async def _throughput(site: Site, webhooks: int) -> Throughput:
    organization_id = await site.tenant(site.receivers.url("accept"), webhooks)
    await _warm_up(site, organization_id, webhooks)
    arrived = site.receivers.count
    await site.add_events(organization_id, DELIVERIES // webhooks)
    before, started = snapshot(site.pids), time.monotonic()
    site.wake()
    await _until(lambda: site.receivers.count - arrived >= DELIVERIES)
    took = time.monotonic() - started
    # The last rows are written.
    await asyncio.sleep(0.5)
    return Throughput(webhooks, DELIVERIES / took, _cpu_since(before, site, DELIVERIES))


async def _warm_up(site: Site, organization_id: UUID, webhooks: int) -> None:
    """The first deliveries, for which everything is loaded, connected and prepared."""
    for _ in range(WARM_UP):
        await site.event(organization_id)
        await asyncio.sleep(PAUSE)
    await _until(lambda: site.receivers.count >= WARM_UP * webhooks)
    await asyncio.sleep(0.5)


def _cpu_since(before: Mapping[str, float], site: Site, count: int) -> Mapping[str, float]:
    """The CPU time since then by process, in milliseconds for each of so many."""
    after = snapshot(site.pids)
    return {name: (after[name] - before[name]) * 1000 / count for name in before}


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the receivers only count
        await asyncio.sleep(0.05)


@asynccontextmanager
async def _site(folder: Path, watchdog: Watchdog) -> AsyncIterator[Site]:
    """PostgreSQL, Valkey, receivers and a worker that is alive."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    key = os.urandom(32)
    async with (
        running_postgres(folder / "pg", watchdog) as postgres,
        running_valkey(folder / "vk", watchdog) as valkey_url,
        _receivers() as receivers,
    ):
        await asyncio.to_thread(postgres.make_template)
        with postgres.fresh_database() as database_url:
            variables = {
                "PORTICO_DATABASE_URL": database_url,
                "PORTICO_REDIS_URL": valkey_url,
                "PORTICO_SECRET_KEY": base64.b64encode(key).decode(),
            }
            notifier = CeleryTaskNotifier(valkey_url)
            async with (
                _worker(folder, watchdog, variables) as worker,
                await psycopg.AsyncConnection.connect(database_url, autocommit=True) as database,
            ):
                await _alive(valkey_url)
                pids = {
                    "worker": worker,
                    "PostgreSQL": await asyncio.to_thread(_postgres_pid, folder),
                    "Valkey": await _valkey_pid(valkey_url),
                }
                yield Site(database, Secrets(key), notifier, receivers, pids)
            await asyncio.to_thread(notifier.close)


@asynccontextmanager
async def _receivers() -> AsyncIterator[Receivers]:
    receivers = Receivers()
    app = web.Application()
    app.router.add_post("/accept", receivers.accept)
    app.router.add_post("/hang", receivers.hang)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    receivers.port = runner.addresses[0][1]
    try:
        yield receivers
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _worker(
    folder: Path, watchdog: Watchdog, variables: dict[str, str]
) -> AsyncIterator[int]:
    command = Command(
        name="worker",
        arguments=(sys.executable, "-m", "cli", "worker"),
        log=folder / "worker.log",
        environment=environment_for(folder, variables),
    )
    child = await spawn(command, watchdog)
    try:
        yield child.pid
    finally:
        await child.kill()


def _postgres_pid(folder: Path) -> int:
    (file,) = folder.glob("pg/**/postmaster.pid")
    return int(file.read_text().split()[0])


async def _valkey_pid(valkey_url: str) -> int:
    async with Redis.from_url(valkey_url) as valkey:
        return int((await valkey.info("server"))["process_id"])


async def _alive(valkey_url: str) -> None:
    async with asyncio.timeout(60), Redis.from_url(valkey_url) as valkey:
        alive = 0
        while not alive:
            await asyncio.sleep(0.1)
            alive = await valkey.exists(WORKERS_ALIVE)


async def main() -> None:
    """Measures and prints; the whole report is `python -m bench`."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="portico-") as name, Watchdog() as watchdog:
        found = await measure_webhooks(Path(name), watchdog)
    for title, waits in (
        ("alone", found.alone),
        ("fifty a second", found.steady),
        ("beside hanging", found.beside_hanging),
    ):
        print(
            f"{title}: p50 {waits.percentile(0.5):.0f} ms, p99 {waits.percentile(0.99):.0f} ms,"
            f" never {waits.missing}, pending at the end {waits.pending},"
            f" {cpu_time(waits.cpu_ms)}"
        )
    for one in found.throughput:
        print(f"{one.webhooks} webhooks: {one}")


if __name__ == "__main__":
    asyncio.run(main())
