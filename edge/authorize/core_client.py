"""The authorization service's client of the core: verifies API keys and records their usage."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
import structlog
from portico.auth.v1.auth_service_pb2 import GetJsonWebKeySetRequest, JsonWebKey
from portico.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from portico.keys.v1.api_key_service_pb2 import (
    ApiKeyUses,
    BatchVerifyApiKeysRequest,
    BatchVerifyApiKeysResponse,
    RecordApiKeyUsesRequest,
    VerifyApiKeyResponse,
)
from portico.keys.v1.api_key_service_pb2_grpc import ApiKeyServiceStub

from edge.authorize.usage import UsageBatch
from edge.authorize.verified_key import Refused, Unavailable
from portico_kit.batching import BatchLoader
from portico_kit.clock import timestamp
from portico_kit.edge_state.imported_keys import is_foreign

# Less than the gateway waits for this service, so that the gateway gets its answer.
TIMEOUT_SECONDS = 0.4
# The first use of an imported key may take a bcrypt hash of cost 14.
FOREIGN_TIMEOUT_SECONDS = 2.0
MAX_CONCURRENT_FOREIGN = 64
# No request waits for this one.
RECORD_TIMEOUT_SECONDS = 5.0
# Secrets in one call; the contract allows no more.
MAX_BATCH = 100

# A restarted core is connected again within a second instead of minutes.
RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]

log = structlog.get_logger("authorize")

Verification = VerifyApiKeyResponse | Refused | Unavailable


def connect(socket: Path) -> grpc.aio.Channel:
    """A channel to the core."""
    return grpc.aio.insecure_channel(f"unix:{socket}", options=RECONNECT)


class CoreClient:
    """The methods of the core that this service calls."""

    def __init__(self, channel: grpc.aio.Channel, internal_token: str) -> None:
        self._stub = ApiKeyServiceStub(channel)
        self._auth = AuthServiceStub(channel)
        self._metadata = (("authorization", f"Bearer {internal_token}"),)
        self._foreign = asyncio.Semaphore(MAX_CONCURRENT_FOREIGN)
        self._verifications: BatchLoader[str, VerifyApiKeyResponse] = BatchLoader(
            self._verify_batch, MAX_BATCH
        )

    async def verify(self, secret: str) -> Verification:
        """Verifies a secret. Never raises."""
        foreign = is_foreign(secret)
        try:
            # Includes the time in the queue.
            async with asyncio.timeout(FOREIGN_TIMEOUT_SECONDS if foreign else TIMEOUT_SECONDS):
                verify = self._verify_foreign if foreign else self._verifications.load
                return await verify(secret) or Refused()
        except grpc.aio.AioRpcError as error:
            # Even UNAUTHENTICATED: our internal token is wrong then, not the client's secret.
            log.warning("core_unavailable", code=error.code().name)
        except TimeoutError:
            log.warning("core_unavailable", code="DEADLINE_EXCEEDED")
        return Unavailable()

    async def signing_keys(self) -> Sequence[JsonWebKey] | None:
        """The published keys; None if the core does not answer. Never raises."""
        try:
            answer = await self._auth.GetJsonWebKeySet(
                GetJsonWebKeySetRequest(), timeout=TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            log.warning("core_unavailable", code=error.code().name)
            return None
        keys: Sequence[JsonWebKey] = answer.keys
        return keys

    async def record(self, batch: UsageBatch) -> bool:
        """Records usage; returns whether the batch needs no further attempt. Never raises."""
        try:
            await self._stub.RecordApiKeyUses(
                RecordApiKeyUsesRequest(uses=_uses(batch)),
                metadata=(*self._metadata, ("idempotency-key", str(batch.id))),
                timeout=RECORD_TIMEOUT_SECONDS,
            )
        except grpc.aio.AioRpcError as error:
            log.warning("uses_not_recorded", code=error.code().name, keys=len(batch.usages))
            # An invalid batch stays invalid.
            return bool(error.code() is grpc.StatusCode.INVALID_ARGUMENT)
        return True

    async def _verify_foreign(self, secret: str) -> VerifyApiKeyResponse | None:
        """In a call of its own: its hash may take a second, for which nobody else waits."""
        async with self._foreign:
            return (await self._verify_batch([secret], FOREIGN_TIMEOUT_SECONDS)).get(secret)

    async def _verify_batch(
        self, secrets: Sequence[str], timeout_seconds: float = TIMEOUT_SECONDS
    ) -> Mapping[str, VerifyApiKeyResponse]:
        """One call for all secrets; those that are not valid are left out."""
        answer: BatchVerifyApiKeysResponse = await self._stub.BatchVerifyApiKeys(
            BatchVerifyApiKeysRequest(secrets=secrets),
            metadata=self._metadata,
            timeout=timeout_seconds,
        )
        outcomes = zip(secrets, answer.verifications, strict=True)
        return {secret: one.verified for secret, one in outcomes if one.HasField("verified")}


def _uses(batch: UsageBatch) -> list[ApiKeyUses]:
    return [
        ApiKeyUses(api_key_id=key_id, count=usage.count, last_used_at=timestamp(usage.last_used_at))
        for key_id, usage in batch.usages
    ]
