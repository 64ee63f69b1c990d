"""Watches the limits of organizations in Valkey, so that no request has to look them up.

While the connection is lost the known limits stay in use: a change is seen when the
connection is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import structlog
from redis.asyncio import Redis

from edge.ratelimit.policy import Limits
from portico_kit.edge_state.limits import (
    LIMITS_CHANNEL,
    LIMITS_COMPLETE,
    LIMITS_HASH,
    LimitsDocument,
)
from portico_kit.pubsub import listen_forever, next_message

log = structlog.get_logger("ratelimit")


class LimitsWatcher:
    """Passes on a new copy of all limits whenever one of them has changed.

    Attributes:
        loaded: set as soon as the limits have been read once.
    """

    def __init__(self, client: Redis, adopt: Callable[[Limits], None]) -> None:
        self._client = client
        self._adopt = adopt
        self._known: dict[str, LimitsDocument] = {}
        self.loaded = asyncio.Event()

    async def watch_forever(self) -> None:
        """Watches until it is cancelled."""
        # While the connection is lost, the counts may be lost, too.
        await listen_forever(self._listen, lambda: self._adopt(self._known))

    async def _listen(self) -> None:
        """Listens on one connection; returns only by an exception."""
        async with self._client.pubsub() as subscription:
            await subscription.subscribe(LIMITS_CHANNEL)
            while True:
                message = await next_message(subscription)
                # At the subscription, too: earlier messages were not received.
                if message["type"] in ("message", "subscribe"):
                    await self._load()

    async def _load(self) -> None:
        """Reads all limits; the known ones stay while the core fills an emptied Valkey."""
        stored = cast(dict[bytes, bytes], await self._client.hgetall(LIMITS_HASH))
        is_complete = stored.pop(LIMITS_COMPLETE.encode(), None) is not None
        found = {name.decode(): limits for name, text in stored.items() if (limits := _parse(text))}
        self._known = found if is_complete else {**self._known, **found}
        self._adopt(self._known)
        self.loaded.set()


def _parse(text: bytes) -> LimitsDocument | None:
    try:
        return LimitsDocument.from_json(text)
    except ValueError:
        log.warning("unreadable_limits")
        return None
