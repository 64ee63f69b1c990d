"""Promises about the relay, with a Valkey of its own as the bus: nothing is lost, and in order."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from sqlalchemy import text
from typer.testing import CliRunner

from cli.main import app
from cli.run.plan import server_step
from cli.run.supervisor import Supervisor
from cli.run.valkey import Valkey
from cli.run.watchdog import Watchdog
from portico_kit.testing.waiting import eventually
from server.features.relay import relay as relay_module
from server.features.relay.event_log import EventLog, Wanted, connect
from server.features.relay.redis_streams import RedisBus
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from tests.workers.harness import Tenants
from tests.workers.processes import Platform
from tests.workers.relays import SOURCE, add, relaying

STREAM = "portico:events"
LAG = "portico_relay_lag_events"


class StreamServer:
    """A Valkey that a test can kill and start again; it keeps what it has on its disk."""

    def __init__(self, folder: Path, watchdog: Watchdog) -> None:
        self._server = Valkey(folder, folder / "valkey.sock", folder / "valkey.log")
        self._supervisor = Supervisor([server_step("valkey", self._server)], watchdog)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def bus(self) -> RedisBus:
        return RedisBus(self.url, STREAM, SOURCE, 0)

    async def start(self) -> None:
        await self._supervisor.start()

    async def kill(self) -> None:
        await self._supervisor.kill("valkey")

    async def stop(self) -> None:
        await self._supervisor.stop()

    async def entries(self) -> list[dict[str, str]]:
        """What is in the stream."""
        async with Redis.from_url(self.url, decode_responses=True) as client:
            found: Any = await client.xrange(STREAM)
        return [fields for _, fields in found]

    async def has(self, count: int, within: float = 30.0) -> list[dict[str, str]]:
        """The same, once there are so many different events: repeats included."""

        async def arrived() -> bool:
            return len({each["id"] for each in await self.entries()}) >= count

        await eventually(arrived, within)
        return await self.entries()

    async def empty(self) -> None:
        async with Redis.from_url(self.url) as client:
            await client.flushall()


def orders(entries: Sequence[dict[str, str]]) -> dict[str, list[int]]:
    """The numbers of the events of each organization, each as it came for the first time."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    ids: dict[tuple[str, int], str] = {}
    for entry in entries:
        organization_id, sequence = entry["organizationid"], int(entry["sequence"])
        # What comes again has the same id.
        assert ids.setdefault((organization_id, sequence), entry["id"]) == entry["id"]
        if sequence not in found[organization_id]:
            found[organization_id].append(sequence)
    return dict(found)


@pytest.fixture(scope="module")
async def server(short_folder: Path, watchdog: Watchdog) -> AsyncIterator[StreamServer]:
    """The bus's server."""
    started = StreamServer(short_folder / "bus", watchdog)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def bus(server: StreamServer) -> StreamServer:
    """The same, with nothing in it."""
    await server.empty()
    return server


async def positions(tenants: Tenants) -> dict[str, int]:
    """What the database says that the bus has."""
    query = text("select organization_id, sequence from relay_positions")
    async with tenants.sessions() as db:
        return {str(row.organization_id): row.sequence for row in await db.execute(query)}


async def test_an_entry_has_the_attributes_of_a_cloud_event_and_the_data_of_the_webhook(
    bus: StreamServer, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    organization_id = await tenants.organization()
    event = await tenants.find_event(await tenants.event(organization_id))
    await fan_out_events()
    async with relaying(database_url, bus.bus):
        (entry,) = await bus.has(1)
    assert json.loads(entry.pop("data")) == event.data
    assert entry == {
        "specversion": "1.0",
        "id": str(event.id),
        "source": SOURCE,
        "type": "key.created",
        "time": event.created_at.isoformat().replace("+00:00", "Z"),
        "organizationid": str(organization_id),
        "sequence": "0000000000000000001",
        "datacontenttype": "application/json",
    }


async def test_events_come_in_the_order_of_their_numbers_while_they_happen(
    bus: StreamServer, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    organizations = [await tenants.organization() for _ in range(30)]
    async with relaying(database_url, bus.bus):
        for _ in range(3):
            await asyncio.gather(*(add(tenants, each, 3) for each in organizations))
            await fan_out_events()
        entries = await bus.has(270)
    assert len(entries) == 270
    assert orders(entries) == {str(each): list(range(1, 10)) for each in organizations}
    # When it stops it has remembered all of it.
    assert set((await positions(tenants)).values()) == {9}


async def test_a_bus_that_is_killed_loses_nothing_that_it_has_confirmed_for_good(
    bus: StreamServer, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    """A server writes to its disk every second; what it forgets when it dies is sent again."""
    organizations = [await tenants.organization() for _ in range(3)]
    async with relaying(database_url, bus.bus):
        for turn in range(3):
            await asyncio.gather(*(add(tenants, each, 30) for each in organizations))
            await fan_out_events()
            if turn == 0:
                await bus.has(90)
                await bus.kill()
            if turn == 1:
                await asyncio.sleep(1)
                await bus.start()
        entries = await bus.has(270)
    assert orders(entries) == {str(each): list(range(1, 91)) for each in organizations}


async def test_a_relay_that_is_killed_in_the_middle_is_followed_by_another(
    bus: StreamServer, platform: Platform, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    """Of two processes one relays; when it dies the other goes on where it was."""
    organizations = [await tenants.organization() for _ in range(4)]
    total = 4 * 400
    for each in organizations:
        await tenants.events(each, 200)
    await fan_out_events()
    relay = {"PORTICO_RELAY_REDIS_URL": bus.url}
    async with platform.running("relay", "relay", **relay) as children:
        await bus.has(100)
        await children[0].kill()
        for each in organizations:
            await tenants.events(each, 200)
        await fan_out_events()
        await bus.has(total)
        await children[1].kill()
    async with platform.running("relay", **relay):
        await add(tenants, organizations[0], 1)
        await fan_out_events()
        entries = await bus.has(total + 1)
    told = orders(entries)
    assert told.pop(str(organizations[0])) == list(range(1, 402))
    assert list(told.values()) == [list(range(1, 401))] * 3


async def test_two_relays_send_each_event_once(
    bus: StreamServer, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    organization_id = await tenants.organization()
    async with relaying(database_url, bus.bus), relaying(database_url, bus.bus):
        for _ in range(4):
            await add(tenants, organization_id, 10)
            await fan_out_events()
            await asyncio.sleep(0.2)
        entries = await bus.has(40)
    assert [int(each["sequence"]) for each in entries] == list(range(1, 41))


async def test_a_database_that_ends_its_connections_is_not_the_end_of_the_relay(
    bus: StreamServer, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    organization_id = await tenants.organization()
    async with relaying(database_url, bus.bus):
        for turn in range(3):
            await add(tenants, organization_id, 10)
            await fan_out_events()
            await bus.has(10 * (turn + 1))
            async with tenants.sessions.begin() as db:
                await db.execute(
                    text(
                        "select pg_terminate_backend(pid) from pg_stat_activity"
                        " where application_name = 'portico-relay'"
                    )
                )
        await add(tenants, organization_id, 1)
        await fan_out_events()
        entries = await bus.has(31)
    assert orders(entries) == {str(organization_id): list(range(1, 32))}


async def test_what_happens_to_people_is_relayed_by_name_alone(
    bus: StreamServer, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    operator = await tenants.organization()
    await add(tenants, operator, 1, "user.created", platform=True)
    await add(tenants, operator, 1, "session.created", platform=True)
    await add(tenants, operator, 1, "key.created")
    await fan_out_events()
    for wanted, expected in (
        (Wanted(types=("*",)), ["key.created"]),
        (Wanted(types=("*", "user.created")), ["user.created", "key.created"]),
        (Wanted(types=("session.created",)), ["session.created"]),
    ):
        await bus.empty()
        async with tenants.sessions.begin() as db:
            await db.execute(text("delete from relays"))
        async with relaying(database_url, bus.bus, wanted):
            await eventually(lambda: reached(tenants, 3))
        assert [each["type"] for each in await bus.entries()] == expected


async def reached(tenants: Tenants, sequence: int) -> bool:
    return sequence in (await positions(tenants)).values()


async def test_only_the_events_of_chosen_organizations_are_relayed(
    bus: StreamServer, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    chosen, other = await tenants.organization(), await tenants.organization()
    async with relaying(database_url, bus.bus, Wanted(organizations=[chosen])):
        for each in (other, chosen):
            await add(tenants, each, 2)
        await fan_out_events()
        entries = await bus.has(2)
    assert orders(entries) == {str(chosen): [1, 2]}


async def test_a_bus_begins_with_the_oldest_event_or_with_the_next(
    bus: StreamServer, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    before, new = await tenants.organization(), await tenants.organization()
    await add(tenants, before, 2)
    await fan_out_events()
    async with relaying(database_url, bus.bus, latest=True):
        await eventually(lambda: reached(tenants, 2))
        for each in (before, new):
            await add(tenants, each, 2)
        await fan_out_events()
        entries = await bus.has(4)
    assert orders(entries) == {str(before): [3, 4], str(new): [1, 2]}
    # It is new only once.
    await add(tenants, before, 1)
    await fan_out_events()
    async with relaying(database_url, bus.bus, latest=True):
        entries = await bus.has(5)
    assert orders(entries)[str(before)] == [3, 4, 5]


async def test_events_that_were_deleted_before_they_were_relayed_are_counted(
    bus: StreamServer, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    """A relay that was away for longer than events are kept does not pretend to be complete."""
    skipped = {"bus": f"redis/{STREAM}"}
    some, gone = await tenants.organization(), await tenants.organization()

    async def tell(some_count: int) -> None:
        await add(tenants, some, some_count)
        await add(tenants, gone, 1)
        await fan_out_events()

    await tell(1)
    async with relaying(database_url, bus.bus):
        await bus.has(2)
    await tell(5)
    async with tenants.sessions.begin() as db:
        await db.execute(text("delete from events where sequence in (2, 3, 4)"))
    before = REGISTRY.get_sample_value("portico_relay_skipped_total", skipped) or 0
    async with relaying(database_url, bus.bus):
        entries = await bus.has(4)
        await eventually(lambda: reached(tenants, 6))
    assert orders(entries) == {str(some): [1, 5, 6], str(gone): [1]}
    assert await positions(tenants) == {str(some): 6, str(gone): 2}
    assert REGISTRY.get_sample_value("portico_relay_skipped_total", skipped) == before + 4


async def test_the_database_is_asked_only_about_organizations_with_something_new(
    bus: StreamServer, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    """Also if a transaction ends long after one that began later, and after a restore."""
    first, second = await tenants.organization(), await tenants.organization()
    await add(tenants, first, 1)
    await fan_out_events()
    events = EventLog(await connect(database_url), "redis/asked", Wanted())
    await events.begin(latest=True)
    assert await events.behind() == []
    async with await psycopg.AsyncConnection.connect(database_url) as late:
        # As one of a worker that takes its time.
        await late.execute(
            "insert into event_sequences (organization_id, last, changed_in)"
            " values (%s, 1, pg_current_xact_id()::text::bigint)",
            (second,),
        )
        await add(tenants, first, 1)
        await fan_out_events()
        assert [each.organization_id for each in await events.changed()] == [first]
        await late.commit()
    assert {each.organization_id for each in await events.changed()} == {first, second}
    await events.store({first: 2, second: 1})
    assert await events.changed() == []
    async with tenants.sessions.begin() as db:
        await db.execute(text("update event_sequences set last = 9, changed_in = 1 << 60"))
    assert await events.changed() == []
    assert len(await events.behind()) == 2
    await events.close()


async def test_the_status_says_who_relays_and_what_waits(
    bus: StreamServer,
    database_url: str,
    tenants: Tenants,
    fan_out_events: EventFanOut,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", database_url)
    monkeypatch.setattr(relay_module, "LAG", 0.05)
    organization_id = await tenants.organization()
    await add(tenants, organization_id, 3)
    await fan_out_events()

    async def status() -> tuple[int, str]:
        done = await asyncio.to_thread(CliRunner().invoke, app, ["relay", "status"])
        return done.exit_code, done.output

    assert await status() == (0, "Nothing was relayed yet: see docs/event-bus.md\n")
    async with relaying(database_url, bus.bus) as relay:
        await bus.has(3)
        await eventually(lambda: reached(tenants, 3))
        code, output = await status()
        assert code == 0
        assert output.startswith(f"redis/{STREAM}: relayed from ")
        assert output.endswith(", nothing waits\n")
        measuring = asyncio.create_task(relay.measure())
        await eventually(lambda: lag() == 0)
    await add(tenants, organization_id, 2)
    await fan_out_events()
    await eventually(lambda: lag() == 2)
    measuring.cancel()
    code, output = await status()
    assert code == 1
    waiting = "nobody relays, 2 events of 1 organizations wait, the oldest for "
    assert output.startswith(f"redis/{STREAM}: {waiting}")


def lag() -> float | None:
    return REGISTRY.get_sample_value(LAG, {"bus": f"redis/{STREAM}"})


async def test_a_key_that_is_no_stream_is_left_alone(
    bus: StreamServer, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    organization_id = await tenants.organization()
    await add(tenants, organization_id, 1)
    await fan_out_events()
    async with Redis.from_url(bus.url) as client:
        await client.set(STREAM, "something else")
        async with relaying(database_url, bus.bus):
            await eventually(lambda: failures() > 0)
            assert await client.get(STREAM) == b"something else"
            await client.delete(STREAM)
            await bus.has(1)


def failures() -> float:
    found = REGISTRY.get_sample_value("portico_relay_failures_total", {"bus": f"redis/{STREAM}"})
    return found or 0
