"""Listens on Valkey for what takes access away: a stream ends within a second, not ten."""

from __future__ import annotations

import structlog
from redis.asyncio import Redis

from edge.stream.registry import Registry
from portico_kit.edge_state.access_changes import ACCESS_CHANGED
from portico_kit.pubsub import listen_forever, next_message

log = structlog.get_logger("stream")


class AccessListener:
    """Has the streams looked at whose callers' access has changed."""

    def __init__(self, client: Redis, registry: Registry) -> None:
        self._client = client
        self._registry = registry

    async def listen_forever(self) -> None:
        """Listens until it is cancelled."""
        await listen_forever(self._listen, lambda: None)

    async def _listen(self) -> None:
        async with self._client.pubsub() as subscription:
            await subscription.subscribe(ACCESS_CHANGED)
            while True:
                message = await next_message(subscription)
                if message["type"] == "message":
                    self._registry.on_change(message["data"].decode(errors="replace").split())
                elif message["type"] == "subscribe":
                    self._registry.on_reconnected()
                    log.info("subscribed")
