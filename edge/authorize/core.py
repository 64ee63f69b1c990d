"""Asks the core whose an API key is."""

from __future__ import annotations

from pathlib import Path

import grpc
import structlog
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from portico.keys.v1.api_key_service_pb2 import (
    ApiKeyUses,
    RecordApiKeyUsesRequest,
    VerifyApiKeyRequest,
    VerifyApiKeyResponse,
)
from portico.keys.v1.api_key_service_pb2_grpc import ApiKeyServiceStub

from edge.authorize.principal import Refused, Unavailable
from edge.authorize.uses import Batch
from server.kit.clock import timestamp

# Less than the gateway waits for us, so that our answer is the one that is seen.
TIMEOUT_SECONDS = 0.4
# Nobody waits for this one.
RECORD_TIMEOUT_SECONDS = 5.0
NOT_VALID = "API_KEY_INVALID"
STATUS_DETAILS = "grpc-status-details-bin"

# A core that was restarted is found again within a second, not within minutes.
RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]

log = structlog.get_logger("authorize")


def connect(socket: Path) -> grpc.aio.Channel:
    """A channel to the core."""
    return grpc.aio.insecure_channel(f"unix:{socket}", options=RECONNECT)


class Core:
    """The part of the core that this service needs."""

    def __init__(self, channel: grpc.aio.Channel, internal_token: str) -> None:
        self._stub = ApiKeyServiceStub(channel)
        self._metadata = (("authorization", f"Bearer {internal_token}"),)

    async def ask(self, secret: str) -> VerifyApiKeyResponse | Refused | Unavailable:
        """Says whom a secret stands for. Never raises."""
        try:
            response: VerifyApiKeyResponse = await self._stub.VerifyApiKey(
                VerifyApiKeyRequest(secret=secret),
                metadata=self._metadata,
                timeout=TIMEOUT_SECONDS,
            )
        except grpc.aio.AioRpcError as error:
            return _failure(error)
        return response

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


def _failure(error: grpc.aio.AioRpcError) -> Refused | Unavailable:
    """Only the core's own word makes a key invalid.

    Another UNAUTHENTICATED would mean that our internal token is wrong; the
    client is not to blame for that.
    """
    reason = _reason(error)
    if reason == NOT_VALID:
        return Refused()
    log.warning("core_unavailable", code=error.code().name, reason=reason)
    return Unavailable()


def _reason(error: grpc.aio.AioRpcError) -> str:
    """ErrorInfo.reason, or "" if the core did not say."""
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_DETAILS and isinstance(value, bytes):
            for detail in Status.FromString(value).details:
                info = ErrorInfo()
                if detail.Unpack(info):
                    return str(info.reason)
    return ""
