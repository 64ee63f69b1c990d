"""What edge processes share in Valkey: keys that one of them has verified.

It spares the core a question for each process and for each start. Valkey is
only ever a help: while it does not answer, the core is asked.
"""

from __future__ import annotations

import asyncio
import struct
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, cast

import structlog
from portico.keys.v1.api_key_service_pb2 import VerifyApiKeyResponse
from redis.asyncio import Redis
from redis.exceptions import RedisError

from edge.authorize.cache import TOKEN_MARGIN
from edge.authorize.principal import Outcome, Refused, Unavailable, principal
from edge.authorize.seals import Seals
from server.kit.announce import CHANGES, owned, verified
from server.kit.clock import Clock, moment

# Short: should the core die between a commit and its announcement, it ends by itself.
SHARED_TTL = timedelta(minutes=1)
# The core is asked without Valkey for so long after it has failed to answer, in seconds.
REST_SECONDS = 1.0

_UNTIL = struct.Struct(">d")

# Keeps nothing that was asked before the last change. An index outlives its entries.
_KEEP = """
if (redis.call('get', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('set', KEYS[2], ARGV[2], 'px', ARGV[3])
for i = 3, #KEYS do
  redis.call('sadd', KEYS[i], KEYS[2])
  redis.call('pexpire', KEYS[i], ARGV[4])
end
return 1
"""

log = structlog.get_logger("authorize")

Answer = VerifyApiKeyResponse | Refused | Unavailable


class Asked(Protocol):
    """Knows every key."""

    async def ask(self, secret: str) -> Answer:
        """Says whom a secret stands for. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class _Found:
    """What Valkey said: the count of changes at that moment, and the entry if there is one."""

    changes: bytes
    response: VerifyApiKeyResponse | None


class Shared:
    """Verifies a secret by what another process has found out, else by the core."""

    def __init__(self, core: Asked, client: Redis, seals: Seals, clock: Clock) -> None:
        self._core = core
        self._client = client
        self._seals = seals
        self._clock = clock
        self._keep = client.register_script(_KEEP)
        self._resting_until = 0.0
        self._writing: set[asyncio.Task[None]] = set()

    async def verify(self, secret: str) -> Outcome:
        """Says whom a secret stands for. Never raises."""
        found = await self._read(secret)
        if found is not None and found.response is not None:
            return principal(found.response)
        answer = await self._core.ask(secret)
        if not isinstance(answer, VerifyApiKeyResponse):
            return answer
        if found is not None:
            # Nobody waits for it: the next process profits, not this caller.
            task = asyncio.create_task(self._write(secret, answer, found.changes))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        return principal(answer)

    async def close(self) -> None:
        """Waits for what is being written."""
        await asyncio.gather(*self._writing)

    async def _read(self, secret: str) -> _Found | None:
        """What Valkey knows; None if it cannot be asked."""
        if time.monotonic() < self._resting_until:
            return None
        name = verified(self._seals.name(secret))
        try:
            changes, entry = cast("list[bytes | None]", await self._client.mget(CHANGES, name))
        except RedisError as error:
            self._rest(error)
            return None
        return _Found(changes or b"", self._open(secret, entry) if entry else None)

    async def _write(self, secret: str, answer: VerifyApiKeyResponse, changes: bytes) -> None:
        now = self._clock()
        until = min(now + SHARED_TTL, moment(answer.expires_at) - TOKEN_MARGIN)
        if until <= now:
            return
        plain = _UNTIL.pack(until.timestamp()) + answer.SerializeToString()
        key = answer.api_key
        names = [verified(self._seals.name(secret)), owned(key.id), owned(key.organization_id)]
        entry = self._seals.seal(secret, plain)
        lifetimes = [_milliseconds(until - now), _milliseconds(SHARED_TTL)]
        try:
            await self._keep(keys=[CHANGES, *names], args=[changes, entry, *lifetimes])
        except RedisError as error:
            self._rest(error)

    def _open(self, secret: str, entry: bytes) -> VerifyApiKeyResponse | None:
        """The entry, if it was sealed for this secret and still holds by our own clock."""
        plain = self._seals.open(secret, entry)
        if plain is None:
            return None
        (until,) = _UNTIL.unpack_from(plain)
        if until <= self._clock().timestamp():
            return None
        return VerifyApiKeyResponse.FromString(plain[_UNTIL.size :])

    def _rest(self, error: RedisError) -> None:
        log.warning("shared_keys_unavailable", error=type(error).__name__)
        self._resting_until = time.monotonic() + REST_SECONDS


def _milliseconds(time: timedelta) -> int:
    return max(1, time // timedelta(milliseconds=1))
