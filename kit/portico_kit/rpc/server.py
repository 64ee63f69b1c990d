"""The gRPC servers of the core: one on a unix socket for the gateway, one for internal callers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path

from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from portico_kit.rpc.drain import Drain
from portico_kit.rpc.pipeline import MAX_MESSAGE_BYTES, Pipeline
from portico_kit.service import Service
from portico_kit.start import StartError, claim_socket

# Above the limit of the pipeline, which says what is wrong. What is larger still ends
# here, with a status and no more.
RECEIVED_BYTES = 2 * MAX_MESSAGE_BYTES
# More than the gateway lets in and adds (see edge/gateway/headers.py): of a request that it
# has accepted, nothing may be too large here.
MAX_METADATA_BYTES = 64 * 1024
GRACE = 5.0  # seconds that calls under way get when the server stops

OPTIONS = (
    ("grpc.max_receive_message_length", RECEIVED_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
)


class Server:
    """Serves services on several addresses with the chosen engine."""

    def __init__(self, engine: str, pipeline: Pipeline, services: Iterable[Service]) -> None:
        """Takes the engine, "pygrpc-native" or "grpcio"; see docs/decisions/."""
        self._engine = engine
        self._pipeline = pipeline
        self._services = list(services)
        self._health = health.aio.HealthServicer()
        self._servers: list[aio.Server] = []
        self._drain = Drain()

    async def listen_unix(self, path: Path) -> None:
        """Listens on a unix socket, for the gateway. Whoever may open it is trusted with
        what it says of the client's address, so its folder must be ours alone.

        Raises:
            StartError: if another process listens there.
        """
        await asyncio.to_thread(claim_socket, path)
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
        await self._health.enter_graceful_shutdown()
        # No stream ends by itself: each client hears that it has to open it again.
        self._pipeline.streams.end()
        deadline = time.monotonic() + GRACE
        await self._drain.finish(GRACE)
        left = max(0.0, deadline - time.monotonic())
        await asyncio.gather(*(server.stop(left) for server in self._servers))

    async def _listen(self, address: str, *, behind_gateway: bool) -> int:
        server = _new_server(self._engine)
        for service in self._services:
            handlers = self._pipeline.handlers(service, behind_gateway=behind_gateway)
            guarded = {name: self._drain.guard(handler) for name, handler in handlers.items()}
            server.add_registered_method_handlers(service.descriptor.full_name, guarded)
        await self._add_standard_services(server)
        port = server.add_insecure_port(address)
        await server.start()
        self._servers.append(server)
        return port

    async def _add_standard_services(self, server: aio.Server) -> None:
        """gRPC health and reflection."""
        names = [service.descriptor.full_name for service in self._services]
        serving = health_pb2.HealthCheckResponse.SERVING
        for name in ("", *names):
            await self._health.set(name, serving)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflected = (*names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(reflected, server)


def _new_server(engine: str) -> aio.Server:
    if engine == "grpcio":
        return aio.server(options=OPTIONS)
    # Imported here: the other engine must start where this one has no wheel.
    from portico_kit.rpc.native import new_server

    server: aio.Server = new_server(OPTIONS)
    return server
