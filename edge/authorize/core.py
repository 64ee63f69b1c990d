"""Asks the core whose an API key is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
import structlog
from portico.keys.v1.api_key_service_pb2 import (
    ApiKeyUses,
    BatchVerifyApiKeysRequest,
    BatchVerifyApiKeysResponse,
    RecordApiKeyUsesRequest,
    VerifyApiKeyResponse,
)
from portico.keys.v1.api_key_service_pb2_grpc import ApiKeyServiceStub

from edge.authorize.principal import Refused, Unavailable
from edge.authorize.uses import Batch
from portico_kit.batching import BatchLoader
from portico_kit.clock import timestamp
from portico_kit.edge_state.imported_keys import is_foreign

# Less than the gateway waits for us, so that our answer is the one that is seen.
TIMEOUT_SECONDS = 0.4
# An imported key's first use may take a bcrypt hash of cost 14.
FOREIGN_TIMEOUT_SECONDS = 2.0
FOREIGN_AT_ONCE = 64
# Nobody waits for this one.
RECORD_TIMEOUT_SECONDS = 5.0
# Secrets that are asked about in one call; the contract allows no more.
LARGEST_BATCH = 100

# A core that was restarted is found again within a second, not within minutes.
RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]

log = structlog.get_logger("authorize")

Answer = VerifyApiKeyResponse | Refused | Unavailable


def connect(socket: Path) -> grpc.aio.Channel:
    """A channel to the core."""
    return grpc.aio.insecure_channel(f"unix:{socket}", options=RECONNECT)


class Core:
    """The part of the core that this service needs."""

    def __init__(self, channel: grpc.aio.Channel, internal_token: str) -> None:
        self._stub = ApiKeyServiceStub(channel)
        self._metadata = (("authorization", f"Bearer {internal_token}"),)
        self._foreign = asyncio.Semaphore(FOREIGN_AT_ONCE)
        self._verifications: BatchLoader[str, VerifyApiKeyResponse] = BatchLoader(
            self._verify, LARGEST_BATCH
        )

    async def ask(self, secret: str) -> Answer:
        """Says whom a secret stands for. Never raises."""
        foreign = is_foreign(secret)
        try:
            # The time in line counts, too.
            async with asyncio.timeout(FOREIGN_TIMEOUT_SECONDS if foreign else TIMEOUT_SECONDS):
                find = self._find_foreign if foreign else self._verifications.load
                return await find(secret) or Refused()
        except grpc.aio.AioRpcError as error:
            # Even UNAUTHENTICATED: our internal token is wrong then, not the client's secret.
            log.warning("core_unavailable", code=error.code().name)
        except TimeoutError:
            log.warning("core_unavailable", code="DEADLINE_EXCEEDED")
        return Unavailable()

    async def record(self, batch: Batch) -> bool:
        """Has uses counted, and says whether the batch needs no further attempt. Never raises."""
        uses = [
            ApiKeyUses(
                api_key_id=key_id, count=used.count, last_used_at=timestamp(used.last_used_at)
            )
            for key_id, used in batch.uses
        ]
        try:
            await self._stub.RecordApiKeyUses(
                RecordApiKeyUsesRequest(uses=uses),
                metadata=(*self._metadata, ("idempotency-key", str(batch.id))),
                timeout=RECORD_TIMEOUT_SECONDS,
            )
        except grpc.aio.AioRpcError as error:
            log.warning("uses_not_recorded", code=error.code().name, keys=len(uses))
            # What the core finds wrong it will find wrong again.
            return bool(error.code() is grpc.StatusCode.INVALID_ARGUMENT)
        return True

    async def _find_foreign(self, secret: str) -> VerifyApiKeyResponse | None:
        """Alone: its hash may take the core a second, for which nobody else shall wait."""
        async with self._foreign:
            return (await self._verify([secret], FOREIGN_TIMEOUT_SECONDS)).get(secret)

    async def _verify(
        self, secrets: Sequence[str], seconds: float = TIMEOUT_SECONDS
    ) -> Mapping[str, VerifyApiKeyResponse]:
        """One call for all who ask at the same moment; who is refused is left out."""
        answer: BatchVerifyApiKeysResponse = await self._stub.BatchVerifyApiKeys(
            BatchVerifyApiKeysRequest(secrets=secrets),
            metadata=self._metadata,
            timeout=seconds,
        )
        outcomes = zip(secrets, answer.verifications, strict=True)
        return {secret: one.verified for secret, one in outcomes if one.HasField("verified")}
