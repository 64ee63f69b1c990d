"""Runs an edge service: one unix socket, gRPC health, a clean stop on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import structlog
import uvloop

from edge.recovery import RecoveringServer
from portico_kit.gc import freeze_startup_objects
from portico_kit.rpc.server import Server
from portico_kit.settings import Engine
from portico_kit.signals import stop_signal

log = structlog.get_logger("edge")

Register = Callable[[RecoveringServer], None]


def run(service: Callable[[], AbstractAsyncContextManager[None]]) -> None:
    """Keeps a service open until the process receives SIGTERM or SIGINT.

    Args:
        service: opens the service; it serves as long as its context is entered.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_stopped(service))


async def _until_stopped(service: Callable[[], AbstractAsyncContextManager[None]]) -> None:
    stop = stop_signal()
    async with service():
        freeze_startup_objects()
        log.info("serving")
        await stop.wait()
        log.info("stopping")


@asynccontextmanager
async def serving(
    name: str,
    path: Path,
    engine: Engine,
    register: Register,
    ready: asyncio.Event | None = None,
) -> AsyncIterator[None]:
    """Serves gRPC on a unix socket while the context is entered.

    Args:
        name: the full name of the gRPC service, for health checks.
        path: the socket; a file left there by an earlier process is replaced.
        engine: the gRPC implementation.
        register: adds the servicers.
        ready: when it is set, the health service reports SERVING; at once if there is none.
    """
    server = Server(
        engine,
        [name],
        lambda registrar, _: register(RecoveringServer(registrar)),
        ready=ready,
    )
    await server.listen_unix(path)
    try:
        yield
    finally:
        await server.stop()
