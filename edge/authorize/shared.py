"""What edge processes share in Valkey: keys that one of them has verified.

It spares the core a question for each process and for each start. Valkey is
only ever a help: while it does not answer, the core is asked.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, cast

import structlog
from portico.keys.v1.api_key_service_pb2 import VerifyApiKeyResponse
from redis.asyncio import Redis
from redis.exceptions import RedisError

from edge.authorize.cache import TOKEN_MARGIN
from edge.authorize.core import Answer
from edge.authorize.principal import Outcome, principal
from edge.authorize.seals import Seals
from portico_kit.batching import BatchLoader
from portico_kit.clock import Clock, moment
from portico_kit.edge_state.cache_invalidation import CHANGES, entry_name, owner_index_name

# Short: should the core die between a commit and its announcement, it ends by itself.
SHARED_TTL = timedelta(minutes=1)
# The core is asked without Valkey for so long after it has failed to answer, in seconds.
REST_SECONDS = 1.0
# What is to be shared waits so long for more of its kind, in seconds.
GATHER_SECONDS = 0.02

_UNTIL = struct.Struct(">d")

# Keeps nothing that was asked before the last change. An index outlives its entries.
# KEYS: the count of changes, then for each entry its name and its two owners' indexes.
# ARGV: the lifetime of an index, then for each entry the count when it was asked for, what
# it holds, and its lifetime.
_KEEP = """
local changes = redis.call('get', KEYS[1]) or ''
for at = 2, #KEYS, 3 do
  if ARGV[at] == changes then
    redis.call('set', KEYS[at], ARGV[at + 1], 'px', ARGV[at + 2])
    for owner = at + 1, at + 2 do
      redis.call('sadd', KEYS[owner], KEYS[at])
      redis.call('pexpire', KEYS[owner], ARGV[1])
    end
  end
end
"""

log = structlog.get_logger("authorize")


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


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is to be shared: under which names, sealed, for so many milliseconds."""

    names: tuple[str, str, str]
    changes: bytes
    sealed: bytes
    lifetime: int


class Shared:
    """Verifies a secret by what another process has found out, else by the core.

    All who ask at the same moment share a round trip; what is to be shared is gathered.
    """

    def __init__(self, core: Asked, client: Redis, seals: Seals, clock: Clock) -> None:
        self._core = core
        self._client = client
        self._seals = seals
        self._clock = clock
        self._keep = client.register_script(_KEEP)
        self._reads: BatchLoader[str, _Found] = BatchLoader(self._read)
        self._resting_until = 0.0
        self._unwritten: list[_Entry] = []
        self._writing: asyncio.Task[None] | None = None

    async def verify(self, secret: str) -> Outcome:
        """Says whom a secret stands for. Never raises."""
        found = await self._reads.load(secret)
        if found is not None and found.response is not None:
            return principal(found.response)
        answer = await self._core.ask(secret)
        if not isinstance(answer, VerifyApiKeyResponse):
            return answer
        if found is not None:
            self._share(secret, answer, found.changes)
        return principal(answer)

    async def close(self) -> None:
        """Waits for what is being written."""
        if self._writing is not None:
            await self._writing

    async def _read(self, secrets: Sequence[str]) -> Mapping[str, _Found]:
        """What Valkey knows; nothing if it cannot be asked."""
        if time.monotonic() < self._resting_until:
            return {}
        names = [entry_name(self._seals.name(secret)) for secret in secrets]
        try:
            changes, *entries = cast("list[bytes | None]", await self._client.mget(CHANGES, *names))
        except RedisError as error:
            self._rest(error)
            return {}
        return {
            secret: _Found(changes or b"", self._open(secret, entry) if entry else None)
            for secret, entry in zip(secrets, entries, strict=True)
        }

    def _share(self, secret: str, answer: VerifyApiKeyResponse, changes: bytes) -> None:
        """Nobody waits for it: the next process profits, not this caller."""
        now = self._clock()
        until = min(now + SHARED_TTL, moment(answer.expires_at) - TOKEN_MARGIN)
        if until <= now:
            return
        key = answer.api_key
        names = (
            entry_name(self._seals.name(secret)),
            owner_index_name(key.id),
            owner_index_name(key.organization_id),
        )
        plain = _UNTIL.pack(until.timestamp()) + answer.SerializeToString()
        entry = _Entry(names, changes, self._seals.seal(secret, plain), _milliseconds(until - now))
        self._unwritten.append(entry)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        """Writes what has gathered, until nothing more comes."""
        try:
            while self._unwritten:
                await asyncio.sleep(GATHER_SECONDS)
                entries, self._unwritten = self._unwritten, []
                await self._write(entries)
        finally:
            self._writing = None

    async def _write(self, entries: Sequence[_Entry]) -> None:
        names = [name for entry in entries for name in entry.names]
        told = [
            value for entry in entries for value in (entry.changes, entry.sealed, entry.lifetime)
        ]
        try:
            await self._keep(keys=[CHANGES, *names], args=[_milliseconds(SHARED_TTL), *told])
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
