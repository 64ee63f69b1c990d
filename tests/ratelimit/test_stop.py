"""A service of the edge that stops answers each call that it has taken: Envoy waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from edge.ratelimit.grpcio_batching import CallBatcher
from edge.ratelimit.native_server import native_server
from edge.ratelimit.service import Answer
from edge.serve import serving
from portico_kit.testing.waiting import eventually

NAME, METHOD = "portico.test.Echo", "Echo"
CALLERS, ROUNDS = 12, 5
# What the authorization service and the limiter serve with, with each engine.
SERVERS = pytest.mark.parametrize(
    "kind", ["single-native", "single-grpcio", "batches-native", "batches-grpcio"]
)


class Echo:
    """Answers after a moment, one call or a batch, and knows which calls it has taken."""

    def __init__(self, seconds: float = 0.005) -> None:
        self.taken: set[bytes] = set()
        self._seconds = seconds

    async def one(self, request: bytes, context: Any) -> bytes:
        self.taken.add(request)
        await asyncio.sleep(self._seconds)
        return request

    def batch(self, requests: Sequence[bytes]) -> list[Answer]:
        self.taken.update(requests)
        time.sleep(self._seconds)
        return list(requests)


def served(
    kind: str, path: Path, echo: Echo, executor: ThreadPoolExecutor
) -> AbstractAsyncContextManager[None]:
    """The server of a service of the edge, around an echo."""
    ready = asyncio.Event()
    ready.set()
    if kind == "batches-native":
        return native_server(path, NAME, METHOD, echo.batch, ready)
    if kind == "batches-grpcio":
        batcher = CallBatcher(echo.batch, executor)
        return serving(
            NAME, path, "grpcio", lambda server: batcher.register(server, NAME, METHOD), ready
        )
    handlers: Any = {METHOD: grpc.unary_unary_rpc_method_handler(echo.one)}
    return serving(
        NAME,
        path,
        "grpcio" if kind == "single-grpcio" else "pygrpc-native",
        lambda server: server.add_registered_method_handlers(NAME, handlers),
    )


def channel_to(path: Path) -> aio.Channel:
    """A connection of its own, on which nothing is tried twice."""
    options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
    return aio.insecure_channel(f"unix:{path}", options)


async def keep_calling(path: Path, numbers: Any, unanswered: dict[bytes, str]) -> None:
    """Calls again and again, and keeps what had no answer."""
    async with channel_to(path) as channel:
        echo: Any = channel.unary_unary(f"/{NAME}/{METHOD}")
        while True:
            request = str(next(numbers)).encode()
            try:
                await echo(request)
            except aio.AioRpcError as error:
                unanswered[request] = f"{error.code().name}: {error.details()}"
            await asyncio.sleep(0.002)


async def stop_under_load(
    kind: str, path: Path, numbers: Any, executor: ThreadPoolExecutor
) -> tuple[set[bytes], dict[bytes, str]]:
    """Stops a server that is called, and gives what it took and what had no answer."""
    echo, unanswered = Echo(), dict[bytes, str]()
    async with served(kind, path, echo, executor):
        callers = [
            asyncio.create_task(keep_calling(path, numbers, unanswered)) for _ in range(CALLERS)
        ]
        await eventually(lambda: len(echo.taken) > 10 * CALLERS)
    await asyncio.sleep(0.1)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    return echo.taken, unanswered


@SERVERS
async def test_a_stop_loses_no_answer_of_a_call_that_was_taken(
    kind: str, short_folder: Path
) -> None:
    numbers = count()
    with ThreadPoolExecutor(max_workers=1) as executor:
        for number in range(ROUNDS):
            path = short_folder / f"stop-{kind}-{number}.sock"
            taken, unanswered = await stop_under_load(kind, path, numbers, executor)
            assert unanswered
            assert {key: said for key, said in unanswered.items() if key in taken} == {}


@SERVERS
async def test_who_comes_while_it_stops_is_refused_and_health_says_why(
    kind: str, short_folder: Path
) -> None:
    path, slow = short_folder / f"late-{kind}.sock", Echo(1.0)
    # A call is under way for longer than the test, so that the server cannot be gone yet.
    with ThreadPoolExecutor(max_workers=1) as executor:
        async with channel_to(path) as channel:
            echo: Any = channel.unary_unary(f"/{NAME}/{METHOD}")
            opened = served(kind, path, slow, executor)
            await opened.__aenter__()
            first = asyncio.ensure_future(echo(b"first"))
            await eventually(lambda: bool(slow.taken))
            began = time.monotonic()
            stopping = asyncio.create_task(opened.__aexit__(None, None, None))
            await asyncio.sleep(0.2)
            late = asyncio.ensure_future(echo(b"late"))
            check = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            assert await first == b"first"
            with pytest.raises(aio.AioRpcError) as caught:
                await late
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert caught.value.details() == "the server is shutting down"
            assert (await check).status == health_pb2.HealthCheckResponse.NOT_SERVING
            await stopping
            assert time.monotonic() - began < 5
    assert slow.taken == {b"first"}
