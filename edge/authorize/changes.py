"""Listens on Valkey for changes of keys and organizations and for imports; tells the directory.

As long as the subscription does not stand, changes may be missed, and the
directory is told that too.
"""

from __future__ import annotations

from typing import cast

import structlog
from redis.asyncio import Redis

from edge.authorize.directory import Directory
from edge.subscription import follow, next_message
from portico_kit.edge_state.cache_invalidation import KEYS_CHANGED, ORGANIZATIONS_CHANGED
from portico_kit.edge_state.imported_keys import FAMILIES, FAMILIES_CHANNEL

CHANNELS = (KEYS_CHANGED, ORGANIZATIONS_CHANGED, FAMILIES_CHANNEL)

log = structlog.get_logger("authorize")


class Changes:
    """Keeps the directory true."""

    def __init__(self, client: Redis, directory: Directory) -> None:
        self._client = client
        self._directory = directory

    async def follow(self) -> None:
        """Listens, for ever."""
        await follow(self._listen, self._directory.distrust)

    async def _listen(self) -> None:
        """Listens on one connection, and returns only by an exception."""
        async with self._client.pubsub() as subscription:
            await subscription.subscribe(*CHANNELS)
            confirmed = 0
            while True:
                message = await next_message(subscription)
                if message["type"] == "message":
                    await self._hear(message["channel"].decode(), message["data"])
                elif message["type"] == "subscribe":
                    confirmed += 1
                    if confirmed == len(CHANNELS):
                        # What was said before was not heard.
                        await self._load_families()
                        self._directory.trust()
                        log.info("subscribed")

    async def _hear(self, channel: str, data: bytes) -> None:
        if channel == FAMILIES_CHANNEL:
            await self._load_families()
        else:
            self._directory.drop(data.decode(errors="replace"))

    async def _load_families(self) -> None:
        stored = cast("set[bytes]", await self._client.smembers(FAMILIES))
        self._directory.learn({name.decode() for name in stored})
