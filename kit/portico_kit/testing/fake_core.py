"""A core that knows API keys and publishes keys, for tests of what verifies credentials.

core = FakeCore(runtime_dir / "core.sock")
await core.start()
key = core.add(Key(scopes=["webhooks:read"]))
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import grpc
from google.protobuf.message import Message
from portico.auth.v1.auth_service_pb2 import (
    GetJsonWebKeySetRequest,
    GetJsonWebKeySetResponse,
    JsonWebKey,
)
from portico.keys.v1.api_key_pb2 import ApiKey, ApiKeyLimits
from portico.keys.v1.api_key_service_pb2 import (
    ApiKeyVerification,
    BatchVerifyApiKeysRequest,
    BatchVerifyApiKeysResponse,
    RecordApiKeyUsesRequest,
    RecordApiKeyUsesResponse,
    VerifyApiKeyResponse,
)

from portico_kit.clock import moment, timestamp
from portico_kit.ids import new_id
from portico_kit.testing.clocks import NOON
from portico_kit.tokens import new_api_key

INTERNAL_TOKEN = "the-secret-that-internal-callers-share"  # noqa: S105

Context = grpc.aio.ServicerContext[Message, Message]


@dataclass
class Key:
    """A key that the core knows."""

    scopes: list[str] = field(default_factory=lambda: ["webhooks:read"])
    limits: ApiKeyLimits | None = None
    allowed_cidrs: list[str] = field(default_factory=list)
    tier: str = "pro"
    organization_id: str = field(default_factory=lambda: str(new_id()))
    id: str = field(default_factory=lambda: str(new_id()))
    secret: str = field(default_factory=lambda: new_api_key("test"))
    expires_at: datetime = NOON + timedelta(minutes=5)


class FakeCore:
    """Verifies keys from memory. It listens on the core's socket between `start` and `stop`."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._server: grpc.aio.Server | None = None
        self._keys: dict[str, Key] = {}
        # How many secrets were asked about, and in how many calls.
        self.asked = 0
        self.calls = 0
        # Cleared while the core shall not answer.
        self.answers = asyncio.Event()
        self.answers.set()
        # How many seconds a look takes, by secret, as with a bcrypt hash.
        self.pauses: dict[str, float] = {}
        # What happens between the core's look and its answer.
        self.after_look: Callable[[], Awaitable[None]] | None = None
        self.signing_keys: list[JsonWebKey] = []
        # How often the keys were asked for.
        self.published = 0
        self.used: Counter[str] = Counter()
        self.last_used: dict[str, datetime] = {}
        self.records = True
        self._batches: set[str] = set()

    def add(self, key: Key) -> Key:
        self._keys[key.secret] = key
        return key

    def revoke(self, key: Key) -> None:
        del self._keys[key.secret]

    async def start(self) -> None:
        self._server = grpc.aio.server()
        verify = grpc.unary_unary_rpc_method_handler(
            self._verify,
            request_deserializer=BatchVerifyApiKeysRequest.FromString,
            response_serializer=BatchVerifyApiKeysResponse.SerializeToString,
        )
        record = grpc.unary_unary_rpc_method_handler(
            self._record,
            request_deserializer=RecordApiKeyUsesRequest.FromString,
            response_serializer=RecordApiKeyUsesResponse.SerializeToString,
        )
        publish = grpc.unary_unary_rpc_method_handler(
            self._publish,
            request_deserializer=GetJsonWebKeySetRequest.FromString,
            response_serializer=GetJsonWebKeySetResponse.SerializeToString,
        )
        handlers = (
            grpc.method_handlers_generic_handler(
                "portico.keys.v1.ApiKeyService",
                {"BatchVerifyApiKeys": verify, "RecordApiKeyUses": record},
            ),
            grpc.method_handlers_generic_handler(
                "portico.auth.v1.AuthService", {"GetJsonWebKeySet": publish}
            ),
        )
        self._server.add_generic_rpc_handlers(handlers)
        self._server.add_insecure_port(f"unix:{self._socket}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    async def _verify(
        self, request: BatchVerifyApiKeysRequest, context: Context
    ) -> BatchVerifyApiKeysResponse:
        self.asked += len(request.secrets)
        self.calls += 1
        answers = [self._answer(secret) for secret in request.secrets]
        await asyncio.sleep(max(self.pauses.get(secret, 0.0) for secret in request.secrets))
        await self.answers.wait()
        if self.after_look is not None:
            await self.after_look()
        presented = dict(context.invocation_metadata() or ()).get("authorization")
        if presented != f"Bearer {INTERNAL_TOKEN}":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no")
        return BatchVerifyApiKeysResponse(verifications=answers)

    async def _publish(
        self, request: GetJsonWebKeySetRequest, context: Context
    ) -> GetJsonWebKeySetResponse:
        self.published += 1
        await self.answers.wait()
        return GetJsonWebKeySetResponse(keys=self.signing_keys)

    def _answer(self, secret: str) -> ApiKeyVerification:
        key = self._keys.get(secret)
        if key is None:
            return ApiKeyVerification(refused="API_KEY_INVALID")
        shown = ApiKey(
            id=key.id,
            organization_id=key.organization_id,
            scopes=key.scopes,
            limits=key.limits,
            allowed_cidrs=key.allowed_cidrs,
        )
        verified = VerifyApiKeyResponse(
            api_key=shown,
            access_token=f"token-for-{key.id}",
            expires_at=timestamp(key.expires_at),
            tier=key.tier,
        )
        return ApiKeyVerification(verified=verified)

    async def _record(
        self, request: RecordApiKeyUsesRequest, context: Context
    ) -> RecordApiKeyUsesResponse:
        """Counts a batch once, however often it comes. Without `records` the answer is lost."""
        batch = str(dict(context.invocation_metadata() or ())["idempotency-key"])
        if batch not in self._batches:
            self._batches.add(batch)
            for uses in request.uses:
                self.used[uses.api_key_id] += uses.count
                self.last_used[uses.api_key_id] = moment(uses.last_used_at)
        if not self.records:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the answer is lost")
        return RecordApiKeyUsesResponse()
