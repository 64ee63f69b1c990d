"""Listens on Valkey for changes of keys and organizations, and for imports.

While the subscription is lost changes may be missed, so the resolver remembers nothing.
"""

from __future__ import annotations

from typing import cast

import structlog
from redis.asyncio import Redis

from edge.authorize.resolver import KeyResolver
from portico_kit.edge_state.cache_invalidation import KEYS_CHANGED, ORGANIZATIONS_CHANGED
from portico_kit.edge_state.imported_keys import IMPORTED_PREFIXES, IMPORTED_PREFIXES_CHANNEL
from portico_kit.pubsub import listen_forever, next_message

CHANNELS = (KEYS_CHANGED, ORGANIZATIONS_CHANGED, IMPORTED_PREFIXES_CHANNEL)

log = structlog.get_logger("authorize")


class InvalidationListener:
    """Invalidates what the resolver remembers."""

    def __init__(self, client: Redis, resolver: KeyResolver) -> None:
        self._client = client
        self._resolver = resolver

    async def listen_forever(self) -> None:
        """Listens until it is cancelled."""
        await listen_forever(self._listen, self._resolver.on_disconnected)

    async def _listen(self) -> None:
        """Listens on one connection; returns only by an exception."""
        async with self._client.pubsub() as subscription:
            await subscription.subscribe(*CHANNELS)
            confirmed = 0
            while True:
                message = await next_message(subscription)
                if message["type"] == "message":
                    await self._handle(message["channel"].decode(), message["data"])
                elif message["type"] == "subscribe":
                    confirmed += 1
                    if confirmed == len(CHANNELS):
                        await self._on_subscribed()

    async def _on_subscribed(self) -> None:
        """Earlier messages were not received, so their state is read."""
        await self._load_prefixes()
        self._resolver.on_connected()
        log.info("subscribed")

    async def _handle(self, channel: str, data: bytes) -> None:
        if channel == IMPORTED_PREFIXES_CHANNEL:
            await self._load_prefixes()
        else:
            self._resolver.invalidate(data.decode(errors="replace"))

    async def _load_prefixes(self) -> None:
        stored = cast("set[bytes]", await self._client.smembers(IMPORTED_PREFIXES))
        self._resolver.update_prefixes({name.decode() for name in stored})
