"""The relay: carries the events of each organization to a bus, in the order of their numbers.

Each event is sent at least once, with its own id. What the bus has is remembered in the
database a moment later, by organization; whoever takes over begins there, so that only what
was sent in that moment is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from itertools import islice
from uuid import UUID

import psycopg
import structlog

from server.features.relay.bus import Bus, BusError
from server.features.relay.cloud_events import RelayedEvent
from server.features.relay.event_log import Behind, EventLog, Wanted, connect
from server.features.relay.metrics import (
    ACTIVE,
    FAILURES,
    LAG_EVENTS,
    LAG_SECONDS,
    RELAYED,
    SKIPPED,
)

log = structlog.get_logger("relay")

# Seconds: between two looks for new events, while there are none; between two times that what
# the bus has is remembered; between two attempts to become the relay, or to go on after a
# failure; between two looks at all organizations, whatever changed.
POLL = 0.1
STORE = 0.5
RETRY = 1.0
LOOK_AT_ALL = 60.0
LAG = 15.0
# How long what is under way may take to finish when the process stops.
STOP = 5.0
# Events of one round, and organizations that share it.
EVENTS = 2000
ORGANIZATIONS = 20


class Relay:
    """Carries events to one bus for as long as it runs."""

    def __init__(self, database_url: str, bus: Bus, wanted: Wanted, latest: bool = False) -> None:
        """Takes what it works with.

        Args:
            latest: whether a bus that is new begins with the events to come.
        """
        self._url = database_url
        self._bus = bus
        self._wanted = wanted
        self._latest = latest
        self._stopping = asyncio.Event()
        self._state = ""

    @property
    def name(self) -> str:
        """The bus and its topic or stream."""
        return self._bus.name

    async def run(self) -> None:
        """Relays until it is stopped, whatever fails."""
        while not self._stopping.is_set():
            try:
                await self._be_the_relay()
            except BusError as error:
                self._failed("bus_unavailable", str(error))
            except (psycopg.Error, TimeoutError) as error:
                self._failed("database_unavailable", " ".join(str(error).split())[:300])
            except Exception:
                FAILURES.labels(self._bus.name).inc()
                log.exception("relay_failed", bus=self._bus.name)
            await self._pause(RETRY)

    def stop(self) -> None:
        """Lets the round that is under way finish, and no other begin."""
        self._stopping.set()

    async def measure(self) -> None:
        """Shows how far behind the bus is, for as long as the process runs."""
        while True:
            try:
                await self._measure()
            except psycopg.Error as error:
                log.debug("lag_unknown", bus=self._bus.name, error=str(error)[:200])
            await asyncio.sleep(LAG)

    async def _measure(self) -> None:
        events = EventLog(await connect(self._url), self._bus.name, self._wanted)
        try:
            lag = await events.lag()
        finally:
            await events.close()
        LAG_EVENTS.labels(self._bus.name).set(lag.events)
        LAG_SECONDS.labels(self._bus.name).set(lag.seconds)

    async def _be_the_relay(self) -> None:
        """Waits for its turn, and relays until it is stopped or something fails."""
        events = EventLog(await connect(self._url), self._bus.name, self._wanted)
        try:
            while not await events.hold():
                await self._pause(RETRY)
                if self._stopping.is_set():
                    return
            await self._relay(events)
        finally:
            ACTIVE.labels(self._bus.name).set(0)
            # In this order: nobody else begins while something of ours may be on its way.
            await self._bus.close()
            await events.close()

    async def _relay(self, events: EventLog) -> None:
        await self._bus.open()
        await events.begin(self._latest)
        ACTIVE.labels(self._bus.name).set(1)
        carrying = Carrying(events, self._bus, self._works)
        try:
            async with asyncio.TaskGroup() as group:
                storing = group.create_task(_repeat(carrying.store, STORE))
                await carrying.carry(self._stopping)
                storing.cancel()
        except BaseExceptionGroup as failures:
            # Whatever failed first has ended the other.
            raise failures.exceptions[0] from None
        async with asyncio.timeout(STOP):
            await carrying.store()

    def _failed(self, event: str, reason: str) -> None:
        """Says what is wrong, once for as long as it is the same."""
        FAILURES.labels(self._bus.name).inc()
        if event != self._state:
            log.warning(event, bus=self._bus.name, reason=reason)
        self._state = event

    def _works(self) -> None:
        """Says that it goes on, once."""
        if self._state != "relaying":
            log.info("relaying", bus=self._bus.name)
        self._state = "relaying"

    async def _pause(self, seconds: float) -> None:
        """Waits, but not once it is to stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


class Carrying:
    """What was sent, what is remembered of it, and who has the next turn."""

    def __init__(self, events: EventLog, bus: Bus, works: Callable[[], None]) -> None:
        """Takes what it works with.

        Args:
            works: called each time that something went well.
        """
        self._events = events
        self._bus = bus
        self._works = works
        # The last event that the bus has, by organization, and what the database says of it;
        # of organizations in which something happens.
        self._sent: dict[UUID, int] = {}
        self._stored: dict[UUID, int] = {}
        # The last event that there is, of organizations that wait for their turn.
        self._waiting: dict[UUID, int] = {}

    async def carry(self, stopping: asyncio.Event) -> None:
        """Sends what there is, round by round."""
        loop = asyncio.get_running_loop()
        look_at_all = loop.time()
        while not stopping.is_set():
            if loop.time() >= look_at_all:
                look_at_all = loop.time() + LOOK_AT_ALL
                self._enqueue(await self._events.behind())
            else:
                self._enqueue(await self._events.changed())
            if self._waiting:
                await self._round()
            else:
                await asyncio.sleep(POLL)
            self._works()

    async def store(self) -> None:
        """Remembers what the bus has, once that survives a crash of the bus."""
        sent = dict(self._sent)
        new = {key: number for key, number in sent.items() if self._stored[key] != number}
        if new:
            await self._bus.settle()
        await self._events.store(new)
        self._stored.update(new)
        # Those of the time before: the answer to a question may be older than what was stored
        # just now, and would have events sent again.
        for organization_id in sent.keys() - new.keys() - self._waiting.keys():
            if self._sent[organization_id] == self._stored[organization_id]:
                del self._sent[organization_id], self._stored[organization_id]

    def _enqueue(self, behind: Sequence[Behind]) -> None:
        for each in behind:
            self._stored.setdefault(each.organization_id, each.stored)
            if self._sent.setdefault(each.organization_id, each.stored) < each.last:
                self._waiting[each.organization_id] = each.last

    async def _round(self) -> None:
        """Some events of those who have waited longest."""
        turn = dict(islice(self._waiting.items(), ORGANIZATIONS))
        after = {organization_id: self._sent[organization_id] for organization_id in turn}
        found = await self._events.read(after, EVENTS // len(turn))
        wanted = [each for events in found.values() for each in events if each.data is not None]
        there = {*(await self._bus.send(wanted))} if wanted else set()
        RELAYED.labels(self._bus.name).inc(len(there))
        for organization_id, last in turn.items():
            events, before = found.get(organization_id), after[organization_id]
            if events is None:
                self._note_missing(organization_id, before, last + 1)
                reached = last
            else:
                self._note_missing(organization_id, before, _first(events, before))
                reached = _reached(before, events, there)
            self._sent[organization_id] = reached
            # To the end of the queue, unless that was all.
            del self._waiting[organization_id]
            if reached < last:
                self._waiting[organization_id] = last

    def _note_missing(self, organization_id: UUID, after: int, first: int) -> None:
        """Says that events were deleted before they were relayed: nothing is missing silently.

        Args:
            first: the next event that there is.
        """
        missing = first - after - 1
        # Of a bus that begins with the oldest event nobody knows what was before that.
        if missing > 0 and after > 0:
            SKIPPED.labels(self._bus.name).inc(missing)
            log.error("events_expired", organization_id=str(organization_id), count=missing)


def _first(events: Sequence[RelayedEvent], after: int) -> int:
    return events[0].sequence if events else after + 1


def _reached(after: int, events: Sequence[RelayedEvent], there: Collection[UUID]) -> int:
    """The last event before the first one that the bus should have and does not."""
    reached = after
    for event in events:
        if event.data is not None and event.id not in there:
            break
        reached = event.sequence
    return reached


async def _repeat(step: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await step()
