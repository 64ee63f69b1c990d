"""Promises about the start: nobody meets the limits of a tier in place of their organization's."""

from __future__ import annotations

import asyncio
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import grpc
import pytest
from envoy.service.ratelimit.v3.rls_pb2_grpc import RateLimitServiceStub
from grpc_health.v1 import health_pb2
from redis.asyncio import Redis

from cli.run.watchdog import Watchdog
from edge.ratelimit.limits_watcher import LimitsWatcher
from edge.ratelimit.main import FIRST_LOAD_SECONDS, NAME
from edge.valkey import connect
from portico_kit.background import cancel
from portico_kit.edge_state.limits import LIMITS_HASH, LimitsDocument
from tests.ratelimit.harness import Gateway, somebody
from tests.ratelimit.test_process import health, running
from tests.stack import running_valkey

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
ENGINES = pytest.mark.parametrize("engine", ["pygrpc-native", "grpcio"])


class Gate:
    """Stands before Valkey and lets nothing through until it is opened."""

    def __init__(self, valkey_url: str) -> None:
        self._valkey = valkey_url.removeprefix("unix://")
        self.knocked, self.open = asyncio.Event(), asyncio.Event()

    async def pass_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serves one connection."""
        self.knocked.set()
        await self.open.wait()
        there, to_there = await asyncio.open_unix_connection(self._valkey)
        await asyncio.gather(_pipe(reader, to_there), _pipe(there, writer))


async def _pipe(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(ConnectionError):
        while some := await reader.read(65536):
            writer.write(some)
    writer.close()


@asynccontextmanager
async def asking(folder: Path) -> AsyncIterator[Gateway]:
    """Asks the process whose socket is in a folder, as soon as it listens."""
    async with grpc.aio.insecure_channel(f"unix:{folder}/ratelimit.sock") as channel:
        await asyncio.wait_for(channel.channel_ready(), 20)
        yield Gateway(RateLimitServiceStub(channel))


@ENGINES
async def test_the_first_request_after_a_start_meets_its_organizations_limits(
    engine: str, valkey_url: str, valkey: Redis, short_folder: Path
) -> None:
    organization = somebody()
    raised = LimitsDocument(multiplier_percent=1000)
    await valkey.hset(LIMITS_HASH, organization, raised.json)
    folder = short_folder / f"gate-{engine}"
    path, gate = short_folder / f"gate-{engine}.sock", Gate(valkey_url)
    settings = {"redis_url": f"unix://{path}", "runtime_dir": str(folder), "grpc_engine": engine}
    async with (
        await asyncio.start_unix_server(gate.pass_on, path),
        running("ratelimit", **settings),
    ):
        await asyncio.wait_for(gate.knocked.wait(), 20)
        await asyncio.sleep(0.3)  # long enough to begin to listen, if it did not wait
        assert not (folder / "ratelimit.sock").exists()
        gate.open.set()
        async with asking(folder) as gateway:
            answer = await gateway.ask(subject=somebody(), organization=organization)
        assert answer.quotas["minute"] == 300


@ENGINES
async def test_without_valkey_it_starts_in_time_and_says_that_it_is_not_ready(
    engine: str, short_folder: Path, watchdog: Watchdog
) -> None:
    folder, home = short_folder / f"alone-{engine}", short_folder / f"late-{engine}"
    settings = {
        "redis_url": f"unix://{home}/valkey.sock",
        "runtime_dir": str(folder),
        "grpc_engine": engine,
    }
    socket, began = folder / "ratelimit.sock", time.monotonic()
    async with running("ratelimit", **settings):
        async with asking(folder) as gateway:
            assert time.monotonic() - began > FIRST_LOAD_SECONDS
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await gateway.ask(subject=somebody())
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert [await health(socket, name) for name in ("", NAME)] == [NOT_SERVING] * 2
        async with running_valkey(home, watchdog):
            for _ in range(200):
                if await health(socket, "") == SERVING:
                    break
                await asyncio.sleep(0.05)
            assert await health(socket, NAME) == SERVING


async def test_it_stops_at_any_moment_of_its_start(valkey_url: str) -> None:
    async def begin_and_stop(seconds: float) -> None:
        client = connect(valkey_url, 1)
        watching = asyncio.create_task(LimitsWatcher(client, lambda _: None).watch_forever())
        await asyncio.sleep(seconds)
        async with asyncio.timeout(10):
            await cancel(watching)
        await client.aclose()

    await asyncio.gather(*(begin_and_stop(number / 1000) for number in range(60)))
