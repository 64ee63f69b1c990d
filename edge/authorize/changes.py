"""Listens on Valkey for changes of keys and organizations, and tells the directory.

As long as the subscription does not stand, changes may be missed, and the
directory is told that too.
"""

from __future__ import annotations

import asyncio

import structlog
from redis.asyncio import Redis

from edge.authorize.directory import Directory
from edge.subscription import RETRY_SECONDS, next_message
from server.kit.announce import KEYS_CHANGED, ORGANIZATIONS_CHANGED

CHANNELS = (KEYS_CHANGED, ORGANIZATIONS_CHANGED)

log = structlog.get_logger("authorize")


class Changes:
    """Keeps the directory true."""

    def __init__(self, client: Redis, directory: Directory) -> None:
        self._client = client
        self._directory = directory

    async def follow(self) -> None:
        """Listens, for ever; subscribes again whenever the connection is lost."""
        while True:
            try:
                await self._listen()
            except Exception as error:  # whatever it was, the next attempt may succeed
                log.warning("subscription_lost", error=type(error).__name__)
            finally:
                self._directory.distrust()
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        """Listens on one connection, and returns only by an exception."""
        async with self._client.pubsub() as subscription:
            await subscription.subscribe(*CHANNELS)
            confirmed = 0
            while True:
                message = await next_message(subscription)
                if message["type"] == "message":
                    self._directory.drop(message["data"].decode(errors="replace"))
                elif message["type"] == "subscribe":
                    confirmed += 1
                    if confirmed == len(CHANNELS):
                        self._directory.trust()
                        log.info("subscribed")
