"""The rate limit service as a process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from envoy.service.ratelimit.v3.rls_pb2_grpc import add_RateLimitServiceServicer_to_server

from edge.ratelimit.counters import Counters
from edge.ratelimit.service import RateLimitService
from edge.serve import run, serving
from edge.settings import EdgeSettings, load
from edge.valkey import connect
from server.kit import logs
from server.kit.clock import Clock, utc_now

NAME = "envoy.service.ratelimit.v3.RateLimitService"

# The gateway waits a little longer for a decision, so that it hears of a failure.
TIMEOUT_SECONDS = 0.1


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    settings = load(EdgeSettings)
    logs.configure("ratelimit", settings.log_level)
    run(lambda: ratelimit(settings))


@asynccontextmanager
async def ratelimit(
    settings: EdgeSettings, clock: Clock = utc_now, patience: float = TIMEOUT_SECONDS
) -> AsyncIterator[None]:
    """Builds the parts and serves while the context is entered."""
    client = connect(settings.redis_url, patience)
    service = RateLimitService(Counters(client), clock, patience)
    try:
        async with serving(
            NAME,
            settings.ratelimit_socket,
            settings.grpc_engine,
            lambda server: add_RateLimitServiceServicer_to_server(service, server),
        ):
            yield
    finally:
        await client.aclose()
