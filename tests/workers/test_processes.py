"""Promises about the processes: whatever is killed, and whenever, no event is lost."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest
from aiohttp import web
from redis.asyncio import Redis

from cli.run.process import Child
from cli.run.watchdog import Watchdog
from portico_kit.secrets import Secrets
from portico_kit.storage.base import create_engine
from portico_kit.tasks.names import EVENT_TASK
from portico_kit.tasks.notifier import WORKERS_ALIVE
from portico_kit.testing.waiting import eventually
from server.features.webhooks.names import DELIVERY_TASK
from tests.stack import PostgresServer, running_valkey
from tests.workers.conftest import MASTER_KEY
from tests.workers.harness import Receiver, Subscription, Tenants, accept, receiving
from tests.workers.processes import Platform
from workers.broker import RECONNECT_INTERVAL


@contextmanager
def holding(receiver: Receiver) -> Iterator[asyncio.Event]:
    """The receiver gives no answer until the event is set, or the block ends."""
    release = asyncio.Event()

    async def hold(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    receiver.handler = hold
    try:
        yield release
    finally:
        release.set()
        receiver.handler = accept


async def delivered(tenants: Tenants, webhook: Subscription, within: float = 10.0) -> None:
    """Waits until the only delivery has arrived."""

    async def arrived() -> bool:
        return [each.status for each in await tenants.deliveries(webhook)] == ["delivered"]

    await eventually(arrived, within)


async def command(valkey: Redis, *words: str) -> None:
    """Sends a command to Valkey."""
    await valkey.execute_command(*words)  # type: ignore[no-untyped-call]


async def stop(child: Child) -> int:
    """Asks a process to end, and gives its exit code."""
    child.send(signal.SIGTERM)
    async with asyncio.timeout(30):
        return await child.wait()


async def test_an_event_arrives_at_once_when_the_core_wakes_the_worker(
    platform: Platform, tenants: Tenants, webhook: Subscription, receiver: Receiver
) -> None:
    async with platform.worker() as worker:
        notifier = platform.notifier()
        notifier.notify(EVENT_TASK)
        (request,) = await receiver.got(1, within=3)
        request.verified_by(webhook.secret)
        assert request.headers["user-agent"].startswith("Portico-Webhooks/")
        await delivered(tenants, webhook)
        await asyncio.to_thread(notifier.close)
        assert await stop(worker) == 0
    assert platform.log("worker")[-1]["event"] == "stopped"


async def test_an_event_whose_wake_up_was_lost_is_found_by_the_sweep(
    platform: Platform, webhook: Subscription, receiver: Receiver
) -> None:
    async with platform.worker(), platform.running("beat") as (beat,):
        (request,) = await receiver.got(1, within=45)
        request.verified_by(webhook.secret)
        assert await stop(beat) == 0


async def test_a_worker_can_be_beat_as_well(
    platform: Platform, webhook: Subscription, receiver: Receiver
) -> None:
    async with platform.running("worker", PORTICO_WORKER_BEAT="true") as (worker,):
        (request,) = await receiver.got(1, within=45)
        request.verified_by(webhook.secret)
        assert await stop(worker) == 0


async def test_a_worker_whose_beat_fails_ends_with_an_error(platform: Platform) -> None:
    (platform.folder / "taken" / "beat-schedule.dat").mkdir(parents=True)
    variables = {"PORTICO_WORKER_BEAT": "true", "PORTICO_STATE_DIR": str(platform.folder / "taken")}
    async with platform.running("worker", **variables) as (worker,):
        assert await worker.wait() == 1
    assert "beat_failed" in [line["event"] for line in platform.log("worker")]


async def test_a_worker_shows_that_it_is_alive_for_as_long_as_it_is(platform: Platform) -> None:
    async with Redis.from_url(platform.valkey_url) as valkey:
        async with platform.worker() as worker:
            await platform.alive(within=10)
            await worker.kill()
        assert 0 < await valkey.pttl(WORKERS_ALIVE) <= 15_000, "it will expire"


async def test_a_worker_killed_in_the_middle_of_a_delivery_loses_nothing(
    platform: Platform, tenants: Tenants, webhook: Subscription, receiver: Receiver
) -> None:
    notifier = platform.notifier()
    with holding(receiver):
        async with platform.worker() as worker:
            notifier.notify(EVENT_TASK)
            await receiver.got(1)
            await worker.kill()
    assert (await tenants.delivery(webhook)).status == "pending"
    async with platform.worker():
        notifier.notify(DELIVERY_TASK)
        await asyncio.sleep(0.5)
        assert len(receiver.requests) == 1, "the claim of the dead worker has not run out"
        await tenants.let_claims_run_out()
        notifier.notify(DELIVERY_TASK)
        await delivered(tenants, webhook)
    await asyncio.to_thread(notifier.close)
    first, second = receiver.requests
    assert first.webhook_id == second.webhook_id
    second.verified_by(webhook.secret)


async def test_a_worker_killed_among_many_deliveries_loses_none(
    platform: Platform, tenants: Tenants, receiver: Receiver
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    await tenants.events(organization, 300)
    notifier = platform.notifier()
    async with platform.worker() as worker:
        notifier.notify(EVENT_TASK)
        await eventually(lambda: len(receiver.requests) > 50)
        await worker.kill()
    async with platform.worker():
        await tenants.let_claims_run_out()
        notifier.notify(EVENT_TASK)
        notifier.notify(DELIVERY_TASK)

        async def all_arrived() -> bool:
            deliveries = await tenants.deliveries(webhook)
            return len(deliveries) == 300 and {d.status for d in deliveries} == {"delivered"}

        await eventually(all_arrived, within=20, every=0.2)
    await asyncio.to_thread(notifier.close)
    ids = {str(delivery.id) for delivery in await tenants.deliveries(webhook)}
    assert {request.webhook_id for request in receiver.requests} == ids


async def test_a_worker_that_is_asked_to_stop_finishes_the_delivery_under_way(
    platform: Platform, tenants: Tenants, webhook: Subscription, receiver: Receiver
) -> None:
    notifier = platform.notifier()
    with holding(receiver) as release:
        async with platform.worker() as worker:
            notifier.notify(EVENT_TASK)
            await receiver.got(1)
            worker.send(signal.SIGTERM)
            await asyncio.sleep(1)
            release.set()
            assert await worker.wait() == 0
    await asyncio.to_thread(notifier.close)
    assert (await tenants.delivery(webhook)).status == "delivered"


async def test_valkey_may_be_away_at_the_start_and_at_any_time_later(
    platform: Platform,
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    short_folder: Path,
) -> None:
    folder = short_folder / "broker"
    alone = replace(platform, valkey_url=f"unix://{folder}/valkey.sock")
    async with alone.running("worker", "beat") as children:
        await asyncio.sleep(2.5)
        async with running_valkey(folder, platform.watchdog):
            await receiver.got(1, within=45)
        await tenants.event((await tenants.delivery(webhook)).organization_id)
        await asyncio.sleep(1)
        async with running_valkey(folder, platform.watchdog):
            await receiver.got(2, within=45)
            events = [line["event"] for line in alone.log("worker")]
            assert events.count("broker_away") <= 2, "an outage is one line"
            assert events.count("broker_back") >= 1
        assert [child.exit_code for child in children] == [None, None]
        assert [await stop(child) for child in children] == [0, 0]


async def be_a_replica(valkey: Redis) -> None:
    """What a fail-over leaves behind: READONLY."""
    await command(valkey, "REPLICAOF", "127.0.0.1", "9")


async def be_the_primary(valkey: Redis) -> None:
    """Another fail-over."""
    await command(valkey, "REPLICAOF", "NO", "ONE")


async def miss_replicas(valkey: Redis) -> None:
    """The only replica is away: NOREPLICAS."""
    await valkey.config_set("min-replicas-to-write", "1")


async def have_replicas(valkey: Redis) -> None:
    """It is back."""
    await valkey.config_set("min-replicas-to-write", "0")


async def fail_to_save(valkey: Redis) -> None:
    """The disk is full: MISCONF. Here a folder is where the snapshot should be."""
    await asyncio.to_thread((await snapshot(valkey)).mkdir)
    await valkey.config_set("save", "3600 1")
    await valkey.bgsave()
    await saved(valkey, "err")


async def save(valkey: Redis) -> None:
    """There is room again."""
    await asyncio.to_thread((await snapshot(valkey)).rmdir)
    await valkey.bgsave()
    await saved(valkey, "ok")


async def snapshot(valkey: Redis) -> Path:
    """The file that Valkey saves itself to."""
    folder, name = [str((await valkey.config_get(key))[key]) for key in ("dir", "dbfilename")]
    return Path(folder, name)


async def saved(valkey: Redis, status: str) -> None:
    """Waits until the last attempt to save came to this."""

    async def has_status() -> bool:
        return bool((await valkey.info("persistence"))["rdb_last_bgsave_status"] == status)

    await eventually(has_status)


@dataclass(frozen=True)
class Refused:
    """A worker and beat with a Valkey of their own, to whose webhook one event has gone."""

    platform: Platform
    valkey: Redis
    children: list[Child]
    tenants: Tenants
    receiver: Receiver
    organization_id: UUID

    @property
    def outages(self) -> int:
        """How many lines of the log say that Valkey does not do its work."""
        return [line["event"] for line in self.platform.log("worker")].count("broker_away")


@pytest.fixture(scope="module")
async def refused(
    postgres: PostgresServer, short_folder: Path, watchdog: Watchdog, secrets: Secrets
) -> AsyncIterator[Refused]:
    """The same processes for every way in which Valkey refuses; at the end they stop as asked."""
    folder = short_folder / "refused"
    url = f"unix://{folder}/valkey.sock"
    async with AsyncExitStack() as parts:
        database_url = parts.enter_context(postgres.fresh_database())
        engine = create_engine(database_url)
        parts.push_async_callback(engine.dispose)
        receiver = await parts.enter_async_context(receiving())
        tenants = Tenants(engine, secrets)
        organization_id = await tenants.organization()
        await tenants.webhook(organization_id, receiver.url)
        await tenants.event(organization_id)
        await parts.enter_async_context(running_valkey(folder, watchdog))
        valkey = await parts.enter_async_context(Redis.from_url(url, decode_responses=True))
        platform = Platform(folder, watchdog, database_url, url, MASTER_KEY)
        children = await parts.enter_async_context(platform.running("worker", "beat"))
        await receiver.got(1, within=45)
        yield Refused(platform, valkey, children, tenants, receiver, organization_id)
        assert [await stop(child) for child in children] == [0, 0]


@pytest.mark.parametrize(
    ("refuse", "accept_again"),
    [(be_a_replica, be_the_primary), (miss_replicas, have_replicas), (fail_to_save, save)],
)
async def test_a_valkey_that_refuses_writes_is_waited_for(
    refused: Refused,
    refuse: Callable[[Redis], Awaitable[None]],
    accept_again: Callable[[Redis], Awaitable[None]],
) -> None:
    outages, lines = refused.outages, len(refused.platform.log("worker"))
    arrived = len(refused.receiver.requests)
    await refuse(refused.valkey)
    await eventually(lambda: refused.outages > outages, within=20)
    await asyncio.sleep(3 * RECONNECT_INTERVAL)  # what is tried again must not be loud
    assert [child.exit_code for child in refused.children] == [None, None]
    await accept_again(refused.valkey)
    await refused.tenants.event(refused.organization_id)
    await refused.receiver.got(arrived + 1, within=30)
    await refused.platform.alive()
    assert [child.exit_code for child in refused.children] == [None, None]
    assert 1 <= refused.outages - outages <= 2
    assert len(refused.platform.log("worker")) - lines < 60, "waiting is quiet"


@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [
        ("worker", "PORTICO_SECRET_KEY", "short"),
        ("worker", "PORTICO_SMTP_URL", "smtp://:25"),
        ("worker", "PORTICO_MAIL_FROM", "nobody"),
        ("beat", "PORTICO_REDIS_URL", "http://127.0.0.1"),
    ],
)
async def test_a_wrong_setting_is_one_line_that_names_it(
    platform: Platform, name: str, variable: str, value: str
) -> None:
    async with platform.running(name, **{variable: value}) as (child,):
        assert await child.wait() == 1
    (line,) = (platform.folder / f"{name}.log").read_text().splitlines()
    assert variable in line
