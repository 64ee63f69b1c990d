"""The relay to a stream of Redis or Valkey: an entry for each event, its attributes as fields."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from server.features.relay.bus import BusError
from server.features.relay.cloud_events import JSON, RelayedEvent, attributes

log = structlog.get_logger("relay")

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 10.0
# Entries of one transaction: other clients of the server wait as long as it takes.
TRANSACTION = 500
# How long the server may take to write to its disk; it does so every second.
SETTLE_MILLISECONDS = 5000
ERRORS = (RedisError, OSError)


class RedisBus:
    """A stream."""

    def __init__(self, url: str, stream: str, source: str, max_length: int) -> None:
        """Takes where it is; nothing is connected yet.

        Args:
            url: redis://, rediss:// or unix://.
            source: the platform, as an absolute URI.
            max_length: about how many entries the stream keeps, the newest; 0 for all.
        """
        self.name = f"redis/{stream}"
        self._url = url
        self._stream = stream
        self._source = source
        self._max_length = max_length or None
        # The first one sends. They change places when what it has sent is to be settled, which
        # takes until the server writes to its disk.
        self._clients: list[Any] = []
        self._keeps_to_disk = True

    async def open(self) -> None:
        """See `Bus.open`."""
        # A command whose answer was lost is not sent again: it may have been carried out.
        patience: dict[str, Any] = {
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": ANSWER_SECONDS,
            "retry": Retry(NoBackoff(), 0),
        }
        self._clients = [
            Redis.from_url(self._url, single_connection_client=True, **patience) for _ in range(2)
        ]
        self._keeps_to_disk = True
        try:
            kind = await self._clients[0].type(self._stream)
        except ERRORS as error:
            raise BusError(_described(error)) from error
        if kind not in (b"none", b"stream"):
            raise BusError(f"{self._stream} is a {kind.decode()} there, and no stream")

    async def send(self, events: Sequence[RelayedEvent]) -> Collection[UUID]:
        """See `Bus.send`."""
        try:
            for some in _parts(events):
                # All of them or none, so that no refusal in the middle changes the order.
                pipeline = self._clients[0].pipeline(transaction=True)
                for event in some:
                    pipeline.xadd(
                        self._stream, self._fields(event), maxlen=self._max_length, approximate=True
                    )
                await pipeline.execute()
        except ERRORS as error:
            raise BusError(_described(error)) from error
        return [event.id for event in events]

    async def settle(self) -> None:
        """See `Bus.settle`. A server that keeps its data in memory alone is taken at its word."""
        if not self._keeps_to_disk:
            return
        sender = self._clients[0]
        self._clients.reverse()
        try:
            answer = await sender.execute_command("WAITAOF", 1, 0, SETTLE_MILLISECONDS)
        except ResponseError as refusal:
            # There is no file, or no such command before Redis 7.2.
            self._keeps_to_disk = False
            log.warning("bus_keeps_events_in_memory", bus=self.name, reason=_described(refusal))
            return
        except ERRORS as error:
            raise BusError(_described(error)) from error
        if not int(answer[0]):
            raise BusError("the server does not write to its disk")

    async def close(self) -> None:
        """See `Bus.close`."""
        clients, self._clients = self._clients, []
        for client in clients:
            with suppress(Exception):
                await client.aclose()

    def _fields(self, event: RelayedEvent) -> dict[Any, Any]:
        named = attributes(event, self._source)
        return {**named, "datacontenttype": JSON, "data": event.data or ""}


def _parts(events: Sequence[RelayedEvent]) -> Iterator[Sequence[RelayedEvent]]:
    for begin in range(0, len(events), TRANSACTION):
        yield events[begin : begin + TRANSACTION]


def _described(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
