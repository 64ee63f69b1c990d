"""The authorization service as a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from envoy.service.auth.v3.external_auth_pb2_grpc import add_AuthorizationServicer_to_server

from edge.authorize.cache import Cache
from edge.authorize.changes import Changes
from edge.authorize.core import Core, connect
from edge.authorize.directory import Directory
from edge.authorize.families import Families
from edge.authorize.seals import Seals
from edge.authorize.service import AuthorizeService
from edge.authorize.shared import Shared
from edge.authorize.uses import Uses
from edge.serve import run, serving
from edge.settings import AuthorizeSettings
from edge.subscription import end
from edge.valkey import connect as connect_valkey
from portico_kit import logs
from portico_kit.clock import Clock, utc_now
from portico_kit.settings import read
from portico_kit.start import one_line

NAME = "envoy.service.auth.v3.Authorization"
VALKEY_TIMEOUT_SECONDS = 1.0
# A request waits for what is shared, and for the core after it, before the gateway gives up.
SHARED_TIMEOUT_SECONDS = 0.05


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    settings = read(AuthorizeSettings)
    logs.configure("authorize", settings.log_level)
    with one_line("authorize"):
        run(lambda: authorize(settings))


@asynccontextmanager
async def authorize(settings: AuthorizeSettings, clock: Clock = utc_now) -> AsyncIterator[None]:
    """Builds the parts and serves while the context is entered."""
    valkey = connect_valkey(settings.redis_url, VALKEY_TIMEOUT_SECONDS)
    quick_valkey = connect_valkey(settings.redis_url, SHARED_TIMEOUT_SECONDS)
    channel = connect(settings.core_socket)
    internal_token = settings.internal_token.get_secret_value()
    core = Core(channel, internal_token)
    shared = Shared(core, quick_valkey, Seals(internal_token), clock)
    directory = Directory(shared, Cache(clock), Families())
    uses = Uses(core, clock)
    service = AuthorizeService(directory, uses)
    following = asyncio.create_task(Changes(valkey, directory).follow())
    stopped = asyncio.Event()
    recording = asyncio.create_task(uses.hand_over_regularly(stopped))
    try:
        async with serving(
            NAME,
            settings.authorize_socket,
            settings.grpc_engine,
            lambda server: add_AuthorizationServicer_to_server(service, server),
        ):
            yield
    finally:
        await end(following)
        stopped.set()
        await recording
        await shared.close()
        await channel.close()
        await quick_valkey.aclose()
        await valkey.aclose()
