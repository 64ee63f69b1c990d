"""Runs an edge service: one unix socket, gRPC health, a clean stop on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import grpc
import structlog
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from edge.recovery import RecoveringServer
from edge.settings import Engine
from portico_kit.gc import freeze_startup_objects
from portico_kit.signals import stop_signal
from portico_kit.start import claim_socket

GRACE_SECONDS = 5.0

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
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    claim_socket(path)
    server = _new_server(engine)
    recovering = RecoveringServer(server)
    register(recovering)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, recovering)
    await _set_health(checks, name, health_pb2.HealthCheckResponse.NOT_SERVING)
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    # Callers on this socket are trusted, so only our own user may open it.
    os.chmod(path, 0o600)
    reporting = asyncio.create_task(_report_health(checks, name, ready))
    try:
        yield
    finally:
        reporting.cancel()
        await checks.enter_graceful_shutdown()
        await server.stop(GRACE_SECONDS)


async def _report_health(
    checks: health.aio.HealthServicer, name: str, ready: asyncio.Event | None
) -> None:
    """Reports that the process and its service are serving, as soon as they are."""
    if ready is not None:
        await ready.wait()
    await _set_health(checks, name, health_pb2.HealthCheckResponse.SERVING)


async def _set_health(checks: health.aio.HealthServicer, name: str, status: int) -> None:
    for one in ("", name):
        await checks.set(one, status)


def _new_server(engine: Engine) -> grpc.aio.Server:
    if engine == "grpcio":
        return grpc.aio.server()
    # Imported here, for not every platform has a wheel.
    import pygrpc_native.aio

    # One thread for HTTP/2 carries far more than one Python thread can answer.
    server: grpc.aio.Server = pygrpc_native.aio.Server(io_threads=1)
    return server
