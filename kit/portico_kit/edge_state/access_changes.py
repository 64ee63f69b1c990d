"""Changes that may take access away, for those who keep a stream open for a caller.

Nothing is decided by a message: whoever gets
one asks the core again. One that is lost costs ten seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from redis.asyncio import Redis

from portico_kit.pubsub import listen_forever, next_message

ACCESS_CHANGED = "portico:access:changed"
# So long the connection is kept when nobody waits.
IDLE_SECONDS = 5.0


class AccessChanges:
    """Says what has changed. Called after the commit."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(self, ids: Iterable[str]) -> None:
        """Names those whose access may have changed."""
        await self._redis.publish(ACCESS_CHANGED, " ".join(dict.fromkeys(ids)))


class AccessWatcher:
    """Wakes those who wait for a change; listens while anybody does."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: dict[asyncio.Future[None], Collection[str]] = {}
        self._running: asyncio.Task[None] | None = None

    async def changed(self, ids: Collection[str], seconds: float) -> None:
        """Waits until one of the ids is named, and so long at the most."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting[future] = ids
        if self._running is None or self._running.done():
            self._running = loop.create_task(listen_forever(self._listen, self._on_disconnected))
        try:
            await asyncio.wait([future], timeout=seconds)
        finally:
            del self._waiting[future]
            if not self._waiting:
                # Whoever looks again waits again soon: the connection is kept meanwhile.
                loop.call_later(IDLE_SECONDS, self._rest)

    def _rest(self) -> None:
        if not self._waiting and self._running is not None:
            self._running.cancel()
            self._running = None

    def _on_disconnected(self) -> None:
        """What is said meanwhile is not heard, and found at the next look."""

    async def _listen(self) -> None:
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(ACCESS_CHANGED)
            while True:
                message = await next_message(subscription)
                if message["type"] == "message":
                    self._wake(frozenset(message["data"].decode(errors="replace").split()))

    def _wake(self, named: frozenset[str]) -> None:
        for future, ids in self._waiting.items():
            if not future.done() and not named.isdisjoint(ids):
                future.set_result(None)
