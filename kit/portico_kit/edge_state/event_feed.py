"""New events: the workers say in Valkey which organizations have some; who streams, listens.

Nothing depends on a message. PostgreSQL holds the events, and whoever listens also looks
there every now and then: a message that is lost costs a second or two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from portico_kit.pubsub import listen_forever, next_message

EVENTS_ADDED = "portico:events:added"
# How often it is looked whether a message was lost: seconds, while messages come and while
# they do not.
LOOK_SECONDS = 2.0
LOOK_ALONE_SECONDS = 1.0
# So long nothing is said after nobody has listened. Who begins meanwhile looks once.
QUIET_SECONDS = 0.25

log = structlog.get_logger("events")

# Gets how many events an organization has had, as far as is known; 0 with a message.
Callback = Callable[[int], None]
Positions = Callable[[Sequence[str]], Awaitable[Mapping[str, int]]]


class EventAnnouncer:
    """Says which organizations have new events. Whoever says it does not wait.

    While a message is on its way, others gather for the next: a stream of events costs few.
    Where nobody streams, a message goes out a few times in a second at the most.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: set[str] = set()
        self._sending: asyncio.Task[None] | None = None
        self._quiet_until = 0.0

    def announce(self, organizations: Iterable[object]) -> None:
        """Has a message sent; called after the commit."""
        if asyncio.get_running_loop().time() < self._quiet_until:
            return
        self._waiting.update(map(str, organizations))
        if self._waiting and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._waiting:
            message, self._waiting = " ".join(self._waiting), set()
            try:
                listeners = await self._redis.publish(EVENTS_ADDED, message)
                if not listeners:
                    self._quiet_until = asyncio.get_running_loop().time() + QUIET_SECONDS
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("announcement_lost", error=type(error).__name__)


class EventWatcher:
    """Calls back when an organization has new events; listens while anybody wants to know."""

    def __init__(self, redis: Redis, positions: Positions) -> None:
        """Takes what messages come from.

        Args:
            positions: looks how many events organizations have had.
        """
        self._redis = redis
        self._positions = positions
        self._watched: dict[str, set[Callback]] = {}
        self._known: dict[str, int] = {}
        self._connected = False
        self._running: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, organization_id: str, callback: Callback) -> Iterator[None]:
        """Calls back for an organization while the context is entered."""
        self.watch(organization_id, callback)
        try:
            yield
        finally:
            self.forget(organization_id, callback)

    def watch(self, organization_id: str, callback: Callback) -> None:
        """Calls back for an organization from now on."""
        self._watched.setdefault(organization_id, set()).add(callback)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    def forget(self, organization_id: str, callback: Callback) -> None:
        """Calls back no more."""
        callbacks = self._watched[organization_id]
        callbacks.discard(callback)
        if not callbacks:
            del self._watched[organization_id]
            self._known.pop(organization_id, None)
        if not self._watched and self._running is not None:
            self._running.cancel()
            self._running = None

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listen_forever(self._listen, self._on_disconnected))
            tasks.create_task(self._look_forever())

    async def _listen(self) -> None:
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(EVENTS_ADDED)
            while True:
                message = await next_message(subscription)
                if message["type"] == "message":
                    for organization_id in message["data"].decode(errors="replace").split():
                        self._call(organization_id, 0)
                elif message["type"] == "subscribe":
                    self._connected = True

    def _on_disconnected(self) -> None:
        self._connected = False

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS if self._connected else LOOK_ALONE_SECONDS)
            try:
                await self._look()
            except Exception as error:  # whatever is away may be back at the next look
                log.warning("look_failed", error=type(error).__name__)

    async def _look(self) -> None:
        organizations = list(self._watched)
        if not organizations:
            return
        for organization_id, position in (await self._positions(organizations)).items():
            if position != self._known.get(organization_id):
                self._call(organization_id, position)

    def _call(self, organization_id: str, position: int) -> None:
        callbacks = self._watched.get(organization_id)
        if not callbacks:
            return
        if position:
            self._known[organization_id] = position
        for callback in tuple(callbacks):
            callback(position)
