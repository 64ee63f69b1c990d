"""Streams of events: what an open one costs, how soon an event is seen, how many come back.

The whole platform as in production; the clients speak to the process of the streams directly,
through its unix socket: nothing else of the machine is measured, and no port runs out.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import aiohttp

from bench.cpu import memory, seconds
from bench.population import Inhabitant, populate
from cli.run.watchdog import Watchdog
from edge.stream.main import allow_many_connections
from tests.stack import Stack

# If the system grants so many files, to each of both sides; some are for other things.
STREAMS = 20_000
OTHER_FILES = 200
# Each of these people has an organization, and as many streams as all others.
PEOPLE = 40
IDLE_SECONDS = 30.0
# Events, and the pause between two of them.
EVENTS = 300
PAUSE = 0.05
RECONNECTING = 5000
AT_ONCE = 200
PATIENCE = 60.0


@dataclass(frozen=True)
class StreamFindings:
    """What was found about streams.

    Attributes:
        rss_before: resident memory of the process without a stream, in KiB.
        rss: the same with all of them, and its proportional part of shared pages.
        opening: seconds in which all were opened.
        idle: share of a processor that they take when nothing happens.
        latencies: from the answer to the change, which follows the commit, to the event at a
            client, in seconds; sorted.
        spread: until an event is at everybody who follows one organization, in seconds.
        back: until all who came back at once had what they had missed, in seconds.
    """

    streams: int
    rss_before: int
    rss: int
    pss: int
    opening: float
    idle: float
    latencies: Sequence[float]
    spread: float
    back: float

    def percentile(self, share: float) -> float:
        """The wait that this share of all events did not exceed, in milliseconds."""
        place = min(int(len(self.latencies) * share), len(self.latencies) - 1)
        return self.latencies[place] * 1000

    def rows(self) -> list[list[str]]:
        """The figures as rows of a table."""
        each = (self.rss - self.rss_before) / self.streams
        return [
            ["streams on one process", f"{self.streams:,}"],
            ["memory", f"{self.rss / 1024:.0f} MB (PSS {self.pss / 1024:.0f} MB)"],
            ["memory of each stream", f"{each:.1f} KB"],
            ["opened in", f"{self.opening:.1f} s"],
            ["processor, nothing happens", f"{self.idle:.1%}"],
            [
                "an event is seen after its commit",
                f"p50 {self.percentile(0.5):.0f} ms, p99 {self.percentile(0.99):.0f} ms",
            ],
            ["by all streams of one organization", f"{self.spread * 1000:.0f} ms"],
            [f"{RECONNECTING:,} come back at once", f"{self.back:.1f} s"],
        ]


@dataclass(eq=False)
class Client(asyncio.Protocol):
    """Opens a stream and takes the time of each event."""

    person: Inhabitant
    number: int
    after: str = ""
    position: str = ""
    arrived: dict[str, float] = field(default_factory=dict)
    transport: asyncio.Transport | None = None
    rest: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the stream, from an address of its own."""
        self.transport = cast("asyncio.Transport", transport)
        third, fourth = divmod(self.number, 250)
        last = f"last-event-id: {self.after}\r\n" if self.after else ""
        self.transport.write(
            f"GET /api/v1/organizations/{self.person.organization_id}/events/stream HTTP/1.1\r\n"
            f"host: portico\r\nauthorization: Bearer {self.person.token}\r\n"
            f"x-edge-address: 10.0.{third}.{fourth}\r\n{last}\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Takes the positions; what is written for an event comes in one piece."""
        now = time.monotonic()
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"id: "):
                self.position = line[4:].decode()
                self.arrived[self.position] = now
            elif line.startswith(b"HTTP/1.1 ") and b" 200 " not in line:
                sys.stderr.write(f"{line!r}\n")


async def measure_streams(stack: Stack, people: Sequence[Inhabitant]) -> StreamFindings:
    """Opens the streams and watches what they cost."""
    allow_many_connections()
    pid = stack.pid("stream")
    before, _ = memory(pid)
    began = time.monotonic()
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(STREAMS, files - OTHER_FILES)
    clients = [Client(people[each % len(people)], each) for each in range(count)]
    await connect(stack, clients)
    opening = time.monotonic() - began
    await asyncio.sleep(2)
    used, at = seconds(pid), time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    idle = (seconds(pid) - used) / (time.monotonic() - at)
    rss, pss = memory(pid)
    watched = clients[0]
    others = [each for each in clients if each.person is watched.person]
    spread: list[float] = []
    latencies = await change(stack, watched, others, spread)
    back = await come_back(stack, clients)
    for each in clients:
        assert each.transport is not None
        each.transport.abort()
    return StreamFindings(
        streams=count,
        rss_before=before,
        rss=rss,
        pss=pss,
        opening=opening,
        idle=idle,
        latencies=sorted(latencies),
        spread=sorted(spread)[len(spread) // 2],
        back=back,
    )


async def connect(stack: Stack, clients: Sequence[Client]) -> None:
    """Opens the streams of clients, some at a time, and waits until all are there."""
    loop, path = asyncio.get_running_loop(), str(stack.settings.runtime_dir / "stream.sock")
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(client: Client) -> None:
        async with gate:
            await loop.create_unix_connection(lambda: client, path)
            await until(lambda: bool(client.position))

    await asyncio.gather(*(one(client) for client in clients))


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something that clients see."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0.002)


async def change(
    stack: Stack, watched: Client, others: Sequence[Client], spread: list[float]
) -> list[float]:
    """Changes something again and again: how late it is seen, by one and by all."""
    latencies = []
    async with stack.rest() as http:
        for number in range(EVENTS):
            expected = str(int(watched.position) + 1)
            answered = await create(http, watched.person, f"Project {number}")
            await until(lambda expected=expected: expected in watched.arrived)  # type: ignore[misc]
            latencies.append(max(0.0, watched.arrived[expected] - answered))
            await until(lambda e=expected: all(e in one.arrived for one in others))  # type: ignore[misc]
            spread.append(max(one.arrived[expected] for one in others) - answered)
            await asyncio.sleep(PAUSE)
    return latencies


async def create(http: aiohttp.ClientSession, person: Inhabitant, name: str) -> float:
    """Creates a project, and says when the answer came."""
    path = f"/api/v1/organizations/{person.organization_id}/projects"
    headers = {"authorization": f"Bearer {person.token}"}
    async with http.post(path, json={"name": name}, headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        return time.monotonic()


async def come_back(stack: Stack, clients: list[Client]) -> float:
    """Cuts off so many clients of one organization, changes something, and lets them return."""
    person = clients[0].person
    gone = [each for each in clients if each.person is not person][:RECONNECTING]
    for client in gone:
        assert client.transport is not None
        client.transport.abort()
    await asyncio.sleep(1)
    after = clients[0].position
    async with stack.rest() as http:
        for number in range(3):
            await create(http, person, f"Missed {number}")
    last = str(int(after) + 3)
    await until(lambda: last in clients[0].arrived)
    began = time.monotonic()
    returning = [Client(person, client.number, after=after) for client in gone]
    await connect(stack, returning)
    await until(lambda: all(last in one.arrived for one in returning))
    clients += returning
    return time.monotonic() - began


async def main() -> None:
    """Measures streams alone."""
    with tempfile.TemporaryDirectory(prefix="portico-") as name, Watchdog() as watchdog:
        variables = {"PORTICO_ADDRESS_RATE": "1000000", "PORTICO_BCRYPT_ROUNDS": "4"}
        stack = Stack(Path(name), watchdog, variables)
        try:
            await stack.start()
            found = await measure_streams(stack, await populate(stack, PEOPLE))
        finally:
            await stack.stop()
    for what, figure in found.rows():
        print(f"{what}: {figure}")


if __name__ == "__main__":
    asyncio.run(main())
