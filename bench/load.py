"""A bounded load of HTTP/1.1 requests over kept-alive connections, and its latencies."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Result:
    """What the clients saw.

    Attributes:
        seconds: how long the load lasted.
        latencies: of each request, in seconds, sorted.
        statuses: how often each HTTP status came.
    """

    seconds: float
    latencies: list[float]
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        """How many requests were answered."""
        return len(self.latencies)

    @property
    def errors(self) -> int:
        """How many answers were not a success."""
        return sum(count for status, count in self.statuses.items() if status >= 400)

    def percentile(self, share: float) -> float:
        """The latency that this share of the requests stayed below, in milliseconds."""
        index = min(int(len(self.latencies) * share), len(self.latencies) - 1)
        return self.latencies[index] * 1000


@dataclass(frozen=True)
class Request:
    """A request; a body is JSON if nothing else is said."""

    path: str
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""
    media_type: str = "application/json"


@dataclass(frozen=True)
class Target:
    """Where requests go, and which, in turn."""

    host: str
    port: int
    requests: Sequence[Request]


async def run(target: Target, requests: int, seconds: float, concurrency: int) -> Result:
    """Sends requests over so many connections, each one at a time.

    Args:
        requests: how many at most.
        seconds: after which no further one is sent.
        concurrency: the number of connections.
    """
    messages = [encode(target.host, target.port, request) for request in target.requests]
    left = itertools.islice(itertools.cycle(messages), requests)
    statuses: Counter[int] = Counter()
    began = time.perf_counter()

    async def client() -> list[float]:
        reader, writer = await asyncio.open_connection(target.host, target.port)
        latencies = []
        for message in left:
            started = time.perf_counter()
            writer.write(message)
            statuses[await _answer(reader)] += 1
            ended = time.perf_counter()
            latencies.append(ended - started)
            if ended - began > seconds:
                break
        writer.close()
        return latencies

    parts = await asyncio.gather(*(client() for _ in range(concurrency)))
    took = time.perf_counter() - began
    return Result(took, sorted(latency for part in parts for latency in part), statuses)


def encode(host: str, port: int, request: Request) -> bytes:
    """A request as it is sent."""
    lines = [f"{request.method} {request.path} HTTP/1.1", f"host: {host}:{port}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    if request.body:
        lines += [f"content-type: {request.media_type}", f"content-length: {len(request.body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + request.body


async def _answer(reader: asyncio.StreamReader) -> int:
    """Reads one answer with a content-length and gives its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    await reader.readexactly(length)
    return status
