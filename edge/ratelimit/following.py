"""Follows the limits of organizations in Valkey, so that no request has to look them up.

As long as the connection is lost, what was known last holds on: a limit that
was changed meanwhile is seen when the connection is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import structlog
from redis.asyncio import Redis

from edge.ratelimit.policy import Limits
from edge.subscription import follow, next_message
from portico_kit.edge_state.limits import (
    LIMITS_CHANNEL,
    LIMITS_HASH,
    LIMITS_WHOLE,
    OrganizationLimits,
)

log = structlog.get_logger("ratelimit")


class OrganizationLimitsFollower:
    """Hands over a new copy of all limits whenever one of them has changed.

    Attributes:
        loaded: set as soon as the limits have been read once.
    """

    def __init__(self, client: Redis, adopt: Callable[[Limits], None]) -> None:
        self._client = client
        self._adopt = adopt
        self._known: dict[str, OrganizationLimits] = {}
        self.loaded = asyncio.Event()

    async def follow(self) -> None:
        """Listens, for ever."""
        # Whatever is remembered of the counts may be gone.
        await follow(self._listen, lambda: self._adopt(self._known))

    async def _listen(self) -> None:
        """Listens on one connection, and returns only by an exception."""
        async with self._client.pubsub() as subscription:
            await subscription.subscribe(LIMITS_CHANNEL)
            while True:
                message = await next_message(subscription)
                # At the subscription, too: what was said before it was not heard.
                if message["type"] in ("message", "subscribe"):
                    await self._load()

    async def _load(self) -> None:
        """Reads all limits; while the core fills an emptied Valkey, the known ones hold on."""
        stored = cast(dict[bytes, bytes], await self._client.hgetall(LIMITS_HASH))
        whole = stored.pop(LIMITS_WHOLE.encode(), None) is not None
        found = {name.decode(): limits for name, text in stored.items() if (limits := _read(text))}
        self._known = found if whole else {**self._known, **found}
        self._adopt(self._known)
        self.loaded.set()


def _read(text: bytes) -> OrganizationLimits | None:
    try:
        return OrganizationLimits.from_json(text)
    except ValueError:
        log.warning("unreadable_limits")
        return None
