"""The gRPC server of every process: engine, sockets, health, reflection, and a stop without loss.

It loads neither the pipeline nor the contract: the edge's services, which have
neither, are small.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from portico_kit.rpc.drain import Drain
from portico_kit.service import MAX_MESSAGE_BYTES, Service
from portico_kit.start import StartError, claim_socket

if TYPE_CHECKING:
    from portico_kit.rpc.pipeline import Pipeline

    Handlers = Mapping[str, grpc.RpcMethodHandler[Any, Any]]

# Above the limit of the pipeline, which says what is wrong. What is larger still ends
# here, with a status and no more.
RECEIVED_BYTES = 2 * MAX_MESSAGE_BYTES
# More than the gateway lets in and adds (see edge/gateway/headers.py): of a request that it
# has accepted, nothing may be too large here.
MAX_METADATA_BYTES = 64 * 1024
GRACE_SECONDS = 5.0  # that calls under way get when the server stops

OPTIONS = (
    ("grpc.max_receive_message_length", RECEIVED_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Registrar:
    """Takes the handlers of one address, each guarded by the drain.

    It has the two methods of a server that generated code calls.
    """

    def __init__(self, server: aio.Server, drain: Drain) -> None:
        self._server = server
        self._drain = drain

    def add_registered_method_handlers(self, service: str, handlers: Handlers) -> None:
        """Registers the methods of a service."""
        guarded = {name: self._drain.guard(handler) for name, handler in handlers.items()}
        self._server.add_registered_method_handlers(service, guarded)

    def add_generic_rpc_handlers(self, _handlers: Iterable[Any]) -> None:
        """Ignores the second registration in generated code, which is for older servers."""


# Adds the handlers of an address, which is the gateway's or not.
Register = Callable[[Registrar, bool], None]


class Server:
    """Serves gRPC on several addresses.

    Args:
        engine: "pygrpc-native" or "grpcio"; see docs/decisions/.
        names: the full names of the services, for health checks and reflection.
        register: adds their handlers.
        reflected: whether callers can ask for the contract.
        ready: when it is set, health reports SERVING; at once if there is none.
        end_streams: called first when the server stops.
    """

    def __init__(
        self,
        engine: str,
        names: Sequence[str],
        register: Register,
        *,
        reflected: bool = False,
        ready: asyncio.Event | None = None,
        end_streams: Callable[[], None] | None = None,
    ) -> None:
        self._engine = engine
        self._names = names
        self._register = register
        self._reflected = reflected
        self._ready = ready
        self._end_streams = end_streams
        self._health = health.aio.HealthServicer()
        self._servers: list[aio.Server] = []
        self._drain = Drain()
        self._reporting: asyncio.Task[None] | None = None

    async def listen_unix(self, path: Path) -> None:
        """Listens on a unix socket, in a folder of its own if there is none. Whoever may open
        it is trusted, with what they say of the client's address or anything else.

        Raises:
            StartError: if another process listens there.
        """
        claim_socket(path)
        await self._listen(f"unix:{path}", behind_gateway=True)
        await asyncio.to_thread(path.chmod, 0o600)

    async def listen_tcp(self, host: str, port: int) -> int:
        """Listens for internal callers and gives the port; 0 takes a free one.

        Raises:
            StartError: if the port is taken or the host is none of ours.
        """
        try:
            return await self._listen(f"{host}:{port}", behind_gateway=False)
        except RuntimeError:
            raise StartError(
                f"cannot listen on port {port} of {host}: "
                "stop what uses it, or set PORTICO_GRPC_HOST and PORTICO_GRPC_PORT"
            ) from None

    async def stop(self) -> None:
        """Takes no more calls, lets those under way finish, and stops."""
        if self._reporting is not None:
            self._reporting.cancel()
        await self._health.enter_graceful_shutdown()
        if self._end_streams is not None:
            self._end_streams()
        deadline = time.monotonic() + GRACE_SECONDS
        await self._drain.finish(GRACE_SECONDS)
        left = max(0.0, deadline - time.monotonic())
        await asyncio.gather(*(server.stop(left) for server in self._servers))

    async def _listen(self, address: str, *, behind_gateway: bool) -> int:
        server = _new_server(self._engine)
        self._register(Registrar(server, self._drain), behind_gateway)
        await self._add_standard_services(server)
        port = server.add_insecure_port(address)
        await server.start()
        self._servers.append(server)
        return port

    async def _add_standard_services(self, server: aio.Server) -> None:
        """gRPC health, and reflection if it is wanted."""
        await self._report(SERVING if self._ready is None else NOT_SERVING)
        if self._ready is not None and self._reporting is None:
            self._reporting = asyncio.create_task(self._report_when(self._ready))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self._reflected:
            # Imported here: the edge's services have no use for it.
            from grpc_reflection.v1alpha import reflection

            reflected = (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(reflected, server)

    async def _report_when(self, ready: asyncio.Event) -> None:
        await ready.wait()
        await self._report(SERVING)

    async def _report(self, status: int) -> None:
        for name in ("", *self._names):
            await self._health.set(name, status)


def pipeline_server(engine: str, pipeline: Pipeline, services: Sequence[Service]) -> Server:
    """A server for services of the contract."""

    def register(registrar: Registrar, behind_gateway: bool) -> None:
        for service in services:
            handlers = pipeline.handlers(service, behind_gateway=behind_gateway)
            registrar.add_registered_method_handlers(service.descriptor.full_name, handlers)

    names = [service.descriptor.full_name for service in services]
    # No stream ends by itself: each client hears that it has to open it again.
    end_streams = pipeline.streams.end
    return Server(engine, names, register, reflected=True, end_streams=end_streams)


def _new_server(engine: str) -> aio.Server:
    if engine == "grpcio":
        return aio.server(options=OPTIONS)
    # Imported here: the other engine must start where this one has no wheel.
    from portico_kit.rpc.native import new_server

    server: aio.Server = new_server(OPTIONS)
    return server
