"""The relay to Kafka: CloudEvents in binary mode, in the partition of their organization.

Each partition gets one batch at a time, made here: a batch that fails is never followed by the
next one of its partition, so that no event comes before one that it came after.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from server.features.relay.bus import BusError
from server.features.relay.cloud_events import JSON, RelayedEvent, attributes
from server.features.relay.metrics import SKIPPED

log = structlog.get_logger("relay")

OPEN_SECONDS = 10.0
# How long a broker may take to answer once.
ANSWER_SECONDS = 10.0
# How long the brokers may take to confirm batches, whatever is tried; then another client may.
CONFIRM_SECONDS = 30.0
# How long batches that nobody waits for have to arrive, and what is under way to end.
FLUSH_SECONDS = 1.0
CLOSE_SECONDS = 12.0
# What a batch has beside its records, and a record beside its key, value and headers.
BATCH_OVERHEAD = 61
RECORD_OVERHEAD = 36
HEADER_OVERHEAD = 4


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """How the brokers are spoken to.

    Attributes:
        tls: what certificates are checked with, and our own is in; None for no TLS.
        mechanism: how SASL signs in, if there is a user.
    """

    tls: ssl.SSLContext | None = None
    user: str = ""
    password: str = ""
    mechanism: str = "SCRAM-SHA-512"

    @property
    def options(self) -> Mapping[str, Any]:
        """As the client takes it."""
        protocol = "SSL" if self.tls else "PLAINTEXT"
        if not self.user:
            return {"security_protocol": protocol, "ssl_context": self.tls}
        return {
            "security_protocol": f"SASL_{protocol}",
            "ssl_context": self.tls,
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password,
        }


class KafkaBus:
    """A topic."""

    def __init__(
        self, servers: str, topic: str, source: str, security: KafkaSecurity, max_bytes: int
    ) -> None:
        """Takes where it is; nothing is connected yet.

        Args:
            servers: host:port of one broker or more, separated by commas.
            source: the platform, as an absolute URI.
            max_bytes: the largest batch that the topic takes. An event that is larger is left
                out, for everything else would wait for it forever.
        """
        self.name = f"kafka/{topic}"
        self._servers = servers
        self._topic = topic
        self._source = source
        self._security = security
        self._max_bytes = max_bytes
        self._producer: Any = None
        self._partitions: list[int] = []

    async def open(self) -> None:
        """See `Bus.open`."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            client_id="portico-relay",
            enable_idempotence=True,
            acks="all",
            max_batch_size=self._max_bytes,
            max_request_size=self._max_bytes,
            request_timeout_ms=round(ANSWER_SECONDS * 1000),
            **self._security.options,
        )
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self._producer.start()
                self._partitions = sorted(await self._producer.partitions_for(self._topic))
        except (KafkaError, OSError, TimeoutError) as error:
            raise BusError(_described(error)) from error

    async def send(self, events: Sequence[RelayedEvent]) -> Collection[UUID]:
        """See `Bus.send`."""
        batches: dict[int, Any] = {}
        full: set[int] = set()
        taken: list[UUID] = []
        for event in events:
            key = str(event.organization_id).encode()
            partition = DefaultPartitioner()(key, self._partitions, self._partitions)
            if partition in full:
                continue
            record = self._record(event, key)
            if _size(record) > self._max_bytes:
                self._leave_out(event, _size(record))
                taken.append(event.id)
                continue
            batch = batches.get(partition) or self._producer.create_batch()
            if batch.append(**record) is None:
                full.add(partition)
                continue
            batches[partition] = batch
            taken.append(event.id)
        await self._confirm(batches)
        return taken

    async def settle(self) -> None:
        """Nothing: all replicas that are in sync had the events before they were confirmed."""

    async def close(self) -> None:
        """See `Bus.close`."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        stopping = asyncio.ensure_future(producer.stop())
        done, _ = await asyncio.wait([stopping], timeout=FLUSH_SECONDS)
        if not done:
            # It would wait for its brokers for as long as they are away. It has no other way to
            # be told that nobody wants what is left any more.
            producer._sender.sender_task.cancel()
            await asyncio.wait([stopping], timeout=CLOSE_SECONDS)
        if stopping.done() and not stopping.cancelled():
            stopping.exception()

    async def _confirm(self, batches: Mapping[int, Any]) -> None:
        """Sends the batches and waits for all of them.

        The client sends a batch again until a broker says that it has it, each time as the same
        one: a broker that comes back within the time has no event twice.
        """
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                confirmed = [
                    await self._producer.send_batch(batch, self._topic, partition=partition)
                    for partition, batch in batches.items()
                ]
                await asyncio.gather(*confirmed)
        except (KafkaError, OSError, TimeoutError) as error:
            raise BusError(_described(error)) from error

    def _record(self, event: RelayedEvent, key: bytes) -> dict[str, Any]:
        named = attributes(event, self._source)
        headers = [(f"ce_{name}", value.encode()) for name, value in named.items()]
        return {
            "key": key,
            "value": (event.data or "").encode(),
            "timestamp": round(event.created_at.timestamp() * 1000),
            "headers": [*headers, ("content-type", JSON.encode())],
        }

    def _leave_out(self, event: RelayedEvent, size: int) -> None:
        SKIPPED.labels(self.name).inc()
        log.error("event_too_large", event_id=str(event.id), type=event.type, bytes=size)


def _size(record: Mapping[str, Any]) -> int:
    """What a batch with this record alone takes, at the most."""
    headers = sum(len(name) + len(value) + HEADER_OVERHEAD for name, value in record["headers"])
    content = len(record["key"]) + len(record["value"]) + headers
    return BATCH_OVERHEAD + RECORD_OVERHEAD + content


def _described(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
