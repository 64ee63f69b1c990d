"""The rate limit service as a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

from prometheus_client import start_http_server

from edge.ratelimit.cluster import ClusterLink
from edge.ratelimit.counters import Counters
from edge.ratelimit.following import OrganizationLimitsFollower
from edge.ratelimit.gathered import Gathered
from edge.ratelimit.link import Link, Runner
from edge.ratelimit.rules import table_shadows
from edge.ratelimit.service import RateLimitService
from edge.serve import run, serving
from edge.settings import RateLimitSettings
from edge.subscription import end
from edge.valkey import connect, pool
from portico_kit import logs
from portico_kit.clock import Clock, utc_now
from portico_kit.settings import read
from portico_kit.start import one_line, require_free

NAME = "envoy.service.ratelimit.v3.RateLimitService"
METHOD = "ShouldRateLimit"
FOLLOWER_TIMEOUT_SECONDS = 1.0
# Without Valkey the service has to start all the same: whoever asks is told that it is away.
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

    Nobody is refused by the tier's limits while those of its organization are on
    their way: the service listens when it has read them, or when waiting is no use.
    """
    counts = _runner(settings)
    changes = connect(settings.redis_url, FOLLOWER_TIMEOUT_SECONDS)
    service = RateLimitService(
        Counters(counts),
        clock,
        table_shadows(settings.ratelimit_shadow),
        settings.ratelimit_cluster,
    )
    follower = OrganizationLimitsFollower(changes, service.adopt)
    following = asyncio.create_task(follower.follow())
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(follower.loaded.wait(), FIRST_LOAD_SECONDS)
        async with _serving(settings, service, follower.loaded):
            yield
    finally:
        await end(following)
        await changes.aclose()
        counts.close()


def _runner(settings: RateLimitSettings) -> Runner:
    """What runs the script where the counts are: on one Valkey, or on a cluster."""
    if settings.ratelimit_cluster:
        return ClusterLink(settings.counts_url, settings.ratelimit_timeout)
    return Link(pool(settings.counts_url, settings.ratelimit_timeout))


@asynccontextmanager
async def _serving(
    settings: RateLimitSettings, service: RateLimitService, ready: asyncio.Event
) -> AsyncIterator[None]:
    path = settings.ratelimit_socket
    if settings.grpc_engine == "pygrpc-native":
        # Imported here, for there is not a wheel for every platform.
        from edge.ratelimit.native import serving_batches

        async with serving_batches(path, NAME, METHOD, service.answer, ready):
            yield
        return
    with ThreadPoolExecutor(max_workers=1) as executor:
        gathered = Gathered(service.answer, executor)
        async with serving(
            NAME,
            path,
            settings.grpc_engine,
            lambda server: gathered.register(server, NAME, METHOD),
            ready,
        ):
            yield
