"""Seventh, inside the transaction: a write repeated with its Idempotency-Key happens once.

The answer is a row of the write's own transaction, so both are there or
neither is. An advisory lock stands for "still running" and falls with its
transaction, however that ends: a process that dies leaves nothing to clean up.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from google.protobuf.message import Message
from grpc import StatusCode
from sqlalchemy import func, select

from server.kit.call import Call
from server.kit.errors import DomainError, invalid
from server.kit.idempotency import KEPT, PURPOSE, IdempotentAnswer
from server.kit.secrets import Secrets
from server.rpc.pipeline import Proceed

HEADER = "idempotency-key"
# Visible ASCII: the OpenAPI document says the same.
_WELL_FORMED = re.compile(r"[!-~]{1,255}")


class IdempotencyKeyInUseError(DomainError):
    """A request with this Idempotency-Key is still running."""

    code = StatusCode.ABORTED
    reason = "IDEMPOTENCY_KEY_IN_USE"


class IdempotencyKeyReusedError(DomainError):
    """This Idempotency-Key was used for another request."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "IDEMPOTENCY_KEY_REUSED"


class Idempotency:
    """Replays the answer of a write that is repeated."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def __call__(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Proceeds, or gives the answer of the first time.

        Raises:
            IdempotencyKeyInUseError: while the first one runs.
            IdempotencyKeyReusedError: if the first request was another one.
        """
        key = call.metadata.get(HEADER)
        if key is None or call.method.reads:
            return await proceed(request, call)
        if not _WELL_FORMED.fullmatch(key):
            problem = "must have 1 to 255 visible ASCII characters"
            raise invalid("Idempotency-Key", "INVALID_FORMAT", problem)
        scope = _digest(call.method.path, call.principal.kind, str(call.principal.id), key)
        await self._lock(call, scope)
        digest = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
        kept = await self._find(call, scope)
        if kept is not None:
            return self._replay(kept, digest, call)
        response = await proceed(request, call)
        self._keep(response, scope, digest, call)
        return response

    async def _lock(self, call: Call, scope: bytes) -> None:
        number = int.from_bytes(scope[:8], signed=True)
        if not await call.db.scalar(select(func.pg_try_advisory_xact_lock(number))):
            raise IdempotencyKeyInUseError

    async def _find(self, call: Call, scope: bytes) -> IdempotentAnswer | None:
        kept = await call.db.get(IdempotentAnswer, scope)
        if kept is not None and kept.expires_at <= call.now:
            await call.db.delete(kept)
            await call.db.flush()
            return None
        return kept

    def _replay(self, kept: IdempotentAnswer, digest: bytes, call: Call) -> Message:
        if kept.request_digest != digest:
            raise IdempotencyKeyReusedError
        head, _, body = self._secrets.unseal(PURPOSE, kept.sealed_answer).partition(b"\n")
        call.reply_metadata.update(json.loads(head))
        call.reply_metadata["idempotent-replayed"] = "true"
        call.authorized = True  # the caller is the one whom the first answer was for
        return call.method.response.FromString(body)

    def _keep(self, response: Message, scope: bytes, digest: bytes, call: Call) -> None:
        answer = json.dumps(call.reply_metadata).encode() + b"\n" + response.SerializeToString()
        call.db.add(
            IdempotentAnswer(
                scope=scope,
                request_digest=digest,
                method=call.method.path,
                sealed_answer=self._secrets.seal(PURPOSE, answer),
                expires_at=call.now + KEPT,
            )
        )


def _digest(*parts: str) -> bytes:
    return hashlib.sha256(json.dumps(parts).encode()).digest()
