"""The clients that were asked for lately, in memory until they change.

A change is published through Valkey once it is committed. While the subscription is lost
changes may be missed, so nothing is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn
from uuid import UUID

import structlog
from redis.asyncio import Redis

from portico_kit.clock import Clock
from portico_kit.edge_state.cache_invalidation import APPLICATIONS_CHANGED, ORGANIZATIONS_CHANGED
from portico_kit.pubsub import listen_forever, next_message
from server.features.applications.read_models import Client

CHANNELS = (APPLICATIONS_CHANGED, ORGANIZATIONS_CHANGED)
MOST = 10_000
# Should a process die between its commit and the message, the change counts from then on.
KEPT = timedelta(seconds=60)

log = structlog.get_logger("applications")

Fetch = Callable[[UUID], Awaitable[Client | None]]


@dataclass(frozen=True, slots=True)
class _Kept:
    client: Client
    until: datetime


class ClientCache:
    """Keeps clients in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._clients: OrderedDict[UUID, _Kept] = OrderedDict()
        self._connected = False
        # Counts what was heard: what was fetched before a change is not kept after it.
        self._changes = 0

    async def get(self, application_id: UUID, fetch: Fetch) -> Client | None:
        """The client; what is unknown is asked for each time."""
        kept = self._clients.get(application_id)
        if kept is not None and self._clock() < kept.until:
            return kept.client
        changes = self._changes
        client = await fetch(application_id)
        if client is not None and self._connected and changes == self._changes:
            self._keep(client)
        return client

    def invalidate(self, changed_id: UUID) -> None:
        """Forgets an application, or all of an organization."""
        self._changes += 1
        if self._clients.pop(changed_id, None) is not None:
            return
        concerned = [
            application_id
            for application_id, kept in self._clients.items()
            if kept.client.organization_id == changed_id
        ]
        for application_id in concerned:
            del self._clients[application_id]

    def on_connected(self) -> None:
        """From now on every change is heard."""
        self._changes += 1
        self._connected = True

    def on_disconnected(self) -> None:
        """From now on changes may be missed."""
        self._changes += 1
        self._connected = False
        self._clients.clear()

    def _keep(self, client: Client) -> None:
        self._clients[client.id] = _Kept(client, self._clock() + KEPT)
        self._clients.move_to_end(client.id)
        if len(self._clients) > MOST:
            self._clients.popitem(last=False)


class ClientInvalidations:
    """Listens on Valkey for changes of applications and organizations."""

    def __init__(self, redis: Redis, cache: ClientCache) -> None:
        self._redis = redis
        self._cache = cache

    async def listen_forever(self) -> None:
        """Listens until it is cancelled."""
        await listen_forever(self._listen, self._cache.on_disconnected)

    async def _listen(self) -> NoReturn:
        """Listens on one connection; returns only by an exception."""
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(*CHANNELS)
            confirmed = 0
            while True:
                message = await next_message(subscription)
                if message["type"] == "message":
                    self._handle(message["data"])
                elif message["type"] == "subscribe":
                    confirmed += 1
                    if confirmed == len(CHANNELS):
                        self._cache.on_connected()
                        log.info("subscribed")

    def _handle(self, data: bytes) -> None:
        try:
            changed_id = UUID(data.decode(errors="replace"))
        except ValueError:
            log.warning("message_unknown")
            return
        self._cache.invalidate(changed_id)
