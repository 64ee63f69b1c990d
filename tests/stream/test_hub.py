"""Events are read once for all who follow an organization, and each gets every one in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from portico.events.v1 import event_feed_service_pb2 as pb

from edge.stream.channel import HELD_EVENTS, StreamedEvent
from edge.stream.hub import Hub
from portico_kit.testing.waiting import eventually

ORGANIZATION = "01890a5d-0000-7000-8000-000000000001"
PAGE = 200


@dataclass
class Log:
    """The events of an organization, and how often they were read."""

    last: int = 0
    deleted: int = 0
    reads: list[int] = field(default_factory=list)
    failures: int = 0
    callback: Any = None

    async def read(self, ranges: Mapping[str, int]) -> Sequence[pb.EventPage]:
        await asyncio.sleep(0.001)
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        after = max(ranges[ORGANIZATION], self.deleted)
        self.reads.append(ranges[ORGANIZATION])
        numbers = range(after + 1, min(after + PAGE, self.last) + 1)
        page = pb.EventPage(organization_id=ORGANIZATION, more=len(numbers) == PAGE)
        for number in numbers:
            kind = "key.created" if number % 2 else "key.revoked"
            page.events.add(sequence=number, type=kind, payload="{}")
        return [page] if numbers else []

    def happen(self, count: int) -> None:
        self.last += count
        if self.callback is not None:
            self.callback(0)

    def watch(self, _organization_id: str, callback: Any) -> None:
        self.callback = callback

    def forget(self, _organization_id: str, _callback: Any) -> None:
        self.callback = None


@dataclass(eq=False)
class Reader:
    """Somebody who follows."""

    position: int
    types: frozenset[str] = frozenset({"key.created", "key.revoked"})
    seen: list[int] = field(default_factory=list)
    resets: list[int] = field(default_factory=list)
    is_paused: bool = False
    pauses_after: int = 0

    def write_event(self, event: StreamedEvent) -> None:
        self.seen.append(event.sequence)
        self.is_paused = bool(self.pauses_after) and len(self.seen) % self.pauses_after == 0

    def write_reset(self, position: int) -> None:
        self.resets.append(position)


@asynccontextmanager
async def running(log: Log) -> AsyncIterator[Hub]:
    hub = Hub(log, log)
    task = asyncio.create_task(hub.run())
    try:
        yield hub
    finally:
        task.cancel()


async def test_five_thousand_who_come_back_at_once_are_one_read() -> None:
    log = Log(last=150)
    readers = [Reader(position=100 + number % 50) for number in range(5000)]
    async with running(log) as hub:
        for reader in readers:
            hub.follow(ORGANIZATION, reader, log.last)
        await eventually(lambda: all(reader.position == 150 for reader in readers))
        assert all(one.seen == list(range(101 + n % 50, 151)) for n, one in enumerate(readers))
        # One for what they missed, one for whether there is something new.
        assert sorted(log.reads) == [100, 150]


async def test_who_comes_back_a_moment_later_needs_no_further_read() -> None:
    log = Log(last=150)
    async with running(log) as hub:
        first = Reader(20)
        hub.follow(ORGANIZATION, first, log.last)
        await eventually(lambda: first.position == 150)
        reads = log.reads.count(20)
        others = [Reader(20 + number) for number in range(100)]
        for reader in others:
            hub.follow(ORGANIZATION, reader, log.last)
        assert all(reader.position == 150 for reader in others)
        assert reads == 1
        assert set(log.reads) == {20, 150}


async def test_everybody_goes_on_from_where_they_are_while_events_come() -> None:
    log = Log(last=1000)
    async with running(log) as hub:
        readers = [Reader(position=position) for position in (0, 333, 999, 1000)]
        for reader in readers:
            hub.follow(ORGANIZATION, reader, log.last)
        for _ in range(20):
            log.happen(17)
            await asyncio.sleep(0.002)
        await eventually(lambda: all(reader.position == log.last for reader in readers))
    for reader, start in zip(readers, (0, 333, 999, 1000), strict=True):
        assert reader.seen == list(range(start + 1, log.last + 1))
        assert not reader.resets


async def test_who_pauses_holds_up_nobody_and_goes_on_later() -> None:
    log = Log()
    slow, fast = Reader(0, pauses_after=10), Reader(0)
    async with running(log) as hub:
        hub.follow(ORGANIZATION, slow, 0)
        hub.follow(ORGANIZATION, fast, 0)
        log.happen(3 * HELD_EVENTS)
        await eventually(lambda: fast.position == log.last)
        assert len(slow.seen) == 10

        def resumed() -> bool:
            slow.is_paused = False
            hub.resume(ORGANIZATION, slow)
            return slow.position == log.last

        await eventually(resumed)
    assert slow.seen == fast.seen == list(range(1, log.last + 1))


async def test_a_core_that_does_not_answer_costs_no_event() -> None:
    log = Log(last=50)
    reader, late = Reader(50), Reader(10)
    async with running(log) as hub:
        hub.follow(ORGANIZATION, reader, 50)
        await eventually(lambda: 50 in log.reads)
        log.failures = 3
        log.happen(5)
        hub.follow(ORGANIZATION, late, 50)
        await eventually(lambda: reader.position == late.position == 55)
    assert reader.seen == list(range(51, 56))
    assert late.seen == list(range(11, 56))


async def test_a_gap_is_never_silent() -> None:
    log = Log(last=500, deleted=400)
    reader = Reader(100)
    async with running(log) as hub:
        hub.follow(ORGANIZATION, reader, log.last)
        await eventually(lambda: reader.position == 500)
    assert (reader.resets, reader.seen) == ([400], list(range(401, 501)))


async def test_types_decide_what_is_seen_and_positions_move_all_the_same() -> None:
    log = Log(last=9)
    reader = Reader(0, types=frozenset({"key.created"}))
    async with running(log) as hub:
        hub.follow(ORGANIZATION, reader, log.last)
        await eventually(lambda: reader.position == 9)
        hub.leave(ORGANIZATION, reader)
        assert log.callback is None
    assert reader.seen == [1, 3, 5, 7, 9]
