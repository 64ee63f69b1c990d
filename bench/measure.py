"""One measurement: a load, and what each process spent on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import cpu, load

WARM_UP_SHARE = 10  # one request in ten is sent before, and not counted


@dataclass(frozen=True)
class Measurement:
    """What a load cost.

    Attributes:
        name: what was measured.
        microseconds: CPU time per request of each process, by name.
    """

    name: str
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
    name: str,
    pids: Mapping[str, int],
    port: int,
    gets: Sequence[load.Get],
    *,
    requests: int,
    concurrency: int,
) -> Measurement:
    """Sends the load and reads the kernel's accounts before and after it.

    Args:
        pids: the server processes, by name; their children count with them.
    """
    host = "127.0.0.1"
    warm = max(1, requests // WARM_UP_SHARE)
    await load.run(host, port, gets, requests=warm, concurrency=concurrency)
    before = cpu.snapshot(pids)
    result = await load.run(host, port, gets, requests=requests, concurrency=concurrency)
    after = cpu.snapshot(pids)
    spent = {each: (after[each] - before[each]) / requests * 1e6 for each in pids}
    return Measurement(name, concurrency, result, spent)
