"""The authorization service as a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from envoy.service.auth.v3.external_auth_pb2_grpc import add_AuthorizationServicer_to_server

from edge.authorize.bound_tokens import BoundTokens, SharedUsedProofs
from edge.authorize.cache import Cache
from edge.authorize.core_client import CoreClient, connect
from edge.authorize.entry_cipher import EntryCipher
from edge.authorize.imported_prefixes import PrefixFilter
from edge.authorize.invalidation import InvalidationListener
from edge.authorize.published_keys import PublishedKeys
from edge.authorize.render import Renderer
from edge.authorize.resolver import KeyResolver
from edge.authorize.service import AuthorizeService
from edge.authorize.shared_cache import SharedCache
from edge.authorize.usage import UsageBuffer
from edge.serve import run, serving
from edge.settings import AuthorizeSettings
from edge.valkey import connect as connect_valkey
from portico_kit import logs
from portico_kit.background import cancel
from portico_kit.client_certificates import ClientCertificates
from portico_kit.clock import Clock, utc_now
from portico_kit.dpop import DpopNonces
from portico_kit.edge_state.possession import PossessionSeal
from portico_kit.settings import read
from portico_kit.start import one_line

NAME = "envoy.service.auth.v3.Authorization"
VALKEY_TIMEOUT_SECONDS = 1.0
# A request waits for the shared cache, then for the core, and no longer than the gateway does.
SHARED_TIMEOUT_SECONDS = 0.05
# A proof must be looked up, or the request is refused.
PROOFS_TIMEOUT_SECONDS = 0.5


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
    proofs_valkey = connect_valkey(settings.redis_url, PROOFS_TIMEOUT_SECONDS)
    channel = connect(settings.core_socket)
    internal_token = settings.internal_token.get_secret_value()
    core = CoreClient(channel, internal_token)
    shared_cache = SharedCache(core, quick_valkey, EntryCipher(internal_token), clock)
    resolver = KeyResolver(shared_cache, Cache(clock), PrefixFilter())
    usage = UsageBuffer(core, clock)
    bound_tokens = BoundTokens(
        PublishedKeys(core),
        SharedUsedProofs(proofs_valkey),
        origin=settings.origin,
        nonces=DpopNonces(internal_token.encode()),
        seal=PossessionSeal(internal_token),
        clock=clock,
    )
    secret = settings.proxy_secret
    certificates = ClientCertificates(secret.get_secret_value() if secret else "")
    renderer = Renderer(settings.origin)
    service = AuthorizeService(resolver, usage, bound_tokens, renderer, certificates)
    listening = asyncio.create_task(InvalidationListener(valkey, resolver).listen_forever())
    stopped = asyncio.Event()
    flushing = asyncio.create_task(usage.flush_regularly(stopped))
    try:
        async with serving(
            NAME,
            settings.authorize_socket,
            settings.grpc_engine,
            lambda server: add_AuthorizationServicer_to_server(service, server),
        ):
            yield
    finally:
        await cancel(listening)
        stopped.set()
        await flushing
        await shared_cache.close()
        await channel.close()
        await proofs_valkey.aclose()
        await quick_valkey.aclose()
        await valkey.aclose()
