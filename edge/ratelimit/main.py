"""The rate limit service as a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

from prometheus_client import start_http_server

from edge.ratelimit.cluster import ClusterExecutor
from edge.ratelimit.connection import ScriptConnection, ScriptExecutor
from edge.ratelimit.counters import Counters
from edge.ratelimit.grpcio_batching import CallBatcher
from edge.ratelimit.limits_watcher import LimitsWatcher
from edge.ratelimit.rules import parse_shadow_rules
from edge.ratelimit.service import RateLimitService
from edge.serve import run, serving
from edge.settings import RateLimitSettings
from edge.valkey import connect, pool
from portico_kit import logs
from portico_kit.background import cancel
from portico_kit.clock import Clock, utc_now
from portico_kit.settings import read
from portico_kit.start import one_line, require_free

NAME = "envoy.service.ratelimit.v3.RateLimitService"
METHOD = "ShouldRateLimit"
WATCHER_TIMEOUT_SECONDS = 1.0
# Without Valkey the service starts all the same, and answers UNAVAILABLE.
FIRST_LOAD_SECONDS = 2.0


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    settings = read(RateLimitSettings)
    logs.configure("ratelimit", settings.log_level)
    with one_line("ratelimit"):
        if settings.ratelimit_metrics_port is not None:
            require_free(
                "127.0.0.1", settings.ratelimit_metrics_port, "PORTICO_RATELIMIT_METRICS_PORT"
            )
            start_http_server(settings.ratelimit_metrics_port, addr="127.0.0.1")
        run(lambda: ratelimit(settings))


@asynccontextmanager
async def ratelimit(settings: RateLimitSettings, clock: Clock = utc_now) -> AsyncIterator[None]:
    """Builds the parts and serves while the context is entered.

    It listens when the limits of organizations are loaded, so that nobody is refused by
    those of the tier instead; without Valkey, after `FIRST_LOAD_SECONDS`.
    """
    executor = _executor(settings)
    subscriber = connect(settings.redis_url, WATCHER_TIMEOUT_SECONDS)
    service = RateLimitService(
        Counters(executor),
        clock,
        parse_shadow_rules(settings.ratelimit_shadow),
        settings.ratelimit_cluster,
    )
    watcher = LimitsWatcher(subscriber, service.adopt)
    watching = asyncio.create_task(watcher.watch_forever())
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(watcher.loaded.wait(), FIRST_LOAD_SECONDS)
        async with _serving(settings, service, watcher.loaded):
            yield
    finally:
        await cancel(watching)
        await subscriber.aclose()
        executor.close()


def _executor(settings: RateLimitSettings) -> ScriptExecutor:
    """What executes the script where the counts are: one Valkey, or a cluster."""
    if settings.ratelimit_cluster:
        return ClusterExecutor(settings.counts_url, settings.ratelimit_timeout)
    return ScriptConnection(pool(settings.counts_url, settings.ratelimit_timeout))


@asynccontextmanager
async def _serving(
    settings: RateLimitSettings, service: RateLimitService, ready: asyncio.Event
) -> AsyncIterator[None]:
    path = settings.ratelimit_socket
    if settings.grpc_engine == "pygrpc-native":
        # Imported here, for not every platform has a wheel.
        from edge.ratelimit.native_server import native_server

        async with native_server(path, NAME, METHOD, service.answer, ready):
            yield
        return
    with ThreadPoolExecutor(max_workers=1) as executor:
        batcher = CallBatcher(service.answer, executor)
        async with serving(
            NAME,
            path,
            settings.grpc_engine,
            lambda server: batcher.register(server, NAME, METHOD),
            ready,
        ):
            yield
