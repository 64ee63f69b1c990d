"""The process that writes streams."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from edge.serve import run
from edge.stream.access_changes import AccessListener
from edge.stream.connection import Connection
from edge.stream.core_client import CoreClient
from edge.stream.hub import Hub
from edge.stream.registry import Registry
from edge.stream.settings import StreamSettings
from edge.stream.site import Site
from edge.stream.slow import end_slow_forever
from edge.valkey import connect
from portico_kit import logs
from portico_kit.edge_state.event_feed import EventWatcher
from portico_kit.oauth_metadata import issuer_of, resource_metadata_url
from portico_kit.settings import read
from portico_kit.start import claim_socket, one_line

# How long clients have to take what was written when the process stops, in seconds.
GRACE_SECONDS = 3.0
POLL_SECONDS = 0.05
# Connections that wait to be accepted: everybody comes back at once after an interruption.
BACKLOG = 4096
VALKEY_SECONDS = 2.0


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    settings = read(StreamSettings)
    logs.configure("stream", settings.log_level)
    allow_many_connections()
    with one_line("stream"):
        claim_socket(settings.stream_socket)
        run(lambda: streams(settings))


def allow_many_connections() -> None:
    """Each stream is a file: takes as many as the system grants."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@asynccontextmanager
async def streams(settings: StreamSettings) -> AsyncIterator[None]:
    """Builds the parts and serves while the context is entered."""
    core = CoreClient(settings.core_socket, settings.internal_token.get_secret_value())
    valkey = connect(settings.redis_url, VALKEY_SECONDS)
    watcher = EventWatcher(valkey, core.positions)
    hub = Hub(core, watcher)
    site = make_site(settings, core, Registry(core, hub))
    listener = AccessListener(valkey, site.registry)
    loop = asyncio.get_running_loop()
    jobs = [
        asyncio.ensure_future(job)
        for job in (
            *(hub.run(), site.registry.run()),
            *(listener.listen_forever(), end_slow_forever(site)),
        )
    ]
    path = settings.stream_socket
    server = await loop.create_unix_server(lambda: Connection(site), path, backlog=BACKLOG)
    await asyncio.to_thread(path.chmod, 0o600)
    try:
        yield
    finally:
        server.close()
        await _let_go(site)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await valkey.aclose()
        await core.close()


def make_site(settings: StreamSettings, core: CoreClient, registry: Registry) -> Site:
    """Puts together what the connections share."""
    metadata = resource_metadata_url(issuer_of(settings.public_url))
    return Site(
        core=core,
        registry=registry,
        origins=settings.origins,
        challenge=(
            f'Bearer realm="portico", resource_metadata="{metadata}", error="invalid_token"'
        ),
    )


async def _let_go(site: Site) -> None:
    """Ends the streams, and waits a moment until their ends are sent."""
    await site.registry.stop()
    for connection in tuple(site.connections):
        if connection.websocket is not None:
            connection.websocket.close_for_restart()
    until = asyncio.get_running_loop().time() + GRACE_SECONDS
    while site.connections and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)
    for connection in tuple(site.connections):
        connection.abort()
