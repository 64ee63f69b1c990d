"""One measurement: a load, and what each process spent on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import uvloop

from bench import cpu, load

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Service:
    """Somebody who answers.

    Attributes:
        name: as the report calls it.
        port: where it answers, on the loopback address.
        pids: its processes, by name; their children count with them.
    """

    name: str
    port: int
    pids: Mapping[str, int]


@dataclass(frozen=True)
class Span:
    """How long a measurement lasts: until the first of the two.

    Attributes:
        requests: sent at most.
        seconds: at most, and as much as a quarter of it for warming up before.
    """

    requests: int
    seconds: float


@dataclass(frozen=True)
class Measurement:
    """What a load cost.

    Attributes:
        work: what was asked for.
        service: who answered.
        microseconds: CPU time per request of each process, by name.
    """

    work: str
    service: str
    concurrency: int
    result: load.Result
    microseconds: Mapping[str, float]

    @property
    def total(self) -> float:
        """CPU time per request of all server processes together, in microseconds."""
        return sum(self.microseconds.values())

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.result.requests / self.result.seconds


async def measure(
    work: str, service: Service, requests: Sequence[load.Request], span: Span, concurrency: int
) -> Measurement:
    """Sends the load and reads the kernel's accounts before and after it."""
    target = load.Target(HOST, service.port, requests)

    def send(some: Span) -> Awaitable[load.Result]:
        return on_own_loop(load.run(target, some.requests, some.seconds, concurrency))

    return await account(work, service, send, span, concurrency)


async def account(
    work: str,
    service: Service,
    send: Callable[[Span], Awaitable[load.Result]],
    span: Span,
    concurrency: int,
) -> Measurement:
    """Has a load sent, warmed up before, and reads the kernel's accounts before and after it."""
    await send(Span(span.requests // 4, span.seconds / 4))
    before = cpu.snapshot(service.pids)
    result = await send(span)
    after = cpu.snapshot(service.pids)
    spent = {each: (after[each] - before[each]) / result.requests * 1e6 for each in service.pids}
    return Measurement(work, service.name, concurrency, result, spent)


async def on_own_loop(sending: Coroutine[Any, Any, load.Result]) -> load.Result:
    """Sends on a quick loop of its own, so that the clients take little of the machine."""
    return await asyncio.to_thread(uvloop.run, sending)
