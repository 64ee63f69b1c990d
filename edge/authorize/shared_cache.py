"""The cache that edge processes share in Valkey: keys that one of them has verified.

It spares the core a call for each process and for each start. Valkey is optional here:
while it does not answer, the core is asked.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import structlog
from portico.keys.v1.api_key_service_pb2 import VerifyApiKeyResponse
from redis.asyncio import Redis
from redis.exceptions import RedisError

from edge.authorize.cache import TOKEN_MARGIN
from edge.authorize.core_client import CoreClient
from edge.authorize.entry_cipher import EntryCipher
from edge.authorize.verified_key import Outcome, verified_key
from portico_kit.batching import BatchLoader
from portico_kit.clock import Clock, moment
from portico_kit.edge_state.cache_invalidation import CHANGES, entry_name, owner_index_name

# Short: if the core dies between a commit and its invalidation, the entry expires by itself.
SHARED_TTL = timedelta(minutes=1)
# How long Valkey is not asked after it has failed to answer.
PAUSE_SECONDS = 1.0
# How long an entry waits for others, to be written with them.
GATHER_SECONDS = 0.02

_EXPIRY = struct.Struct(">d")

# Stores nothing that was looked up before the last change. An index outlives its entries.
# KEYS: the count of changes, then for each entry its name and its two owners' indexes.
# ARGV: the lifetime of an index in milliseconds, then for each entry the count when it was
# looked up, its content, and its lifetime.
_STORE = """
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


@dataclass(frozen=True, slots=True)
class _Found:
    """What Valkey answered.

    Attributes:
        changes: the count of changes at that moment.
        response: the entry, if there is one.
    """

    changes: bytes
    response: VerifyApiKeyResponse | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry to write.

    Attributes:
        names: of the entry, and of its two owners' indexes.
        changes: the count of changes when it was looked up.
        encrypted: the content.
        lifetime_ms: how long it is valid.
    """

    names: tuple[str, str, str]
    changes: bytes
    encrypted: bytes
    lifetime_ms: int


class SharedCache:
    """Looks secrets up in Valkey, else at the core.

    All who ask at the same moment share a round trip; entries are written in batches.
    """

    def __init__(self, core: CoreClient, client: Redis, cipher: EntryCipher, clock: Clock) -> None:
        self._core = core
        self._client = client
        self._cipher = cipher
        self._clock = clock
        self._store = client.register_script(_STORE)
        self._reads: BatchLoader[str, _Found] = BatchLoader(self._read)
        self._paused_until = 0.0
        self._unwritten: list[_Entry] = []
        self._writing: asyncio.Task[None] | None = None

    async def look_up(self, secret: str) -> Outcome:
        """The key of a secret. Never raises."""
        found = await self._reads.load(secret)
        if found is not None and found.response is not None:
            return verified_key(found.response)
        answer = await self._core.verify(secret)
        if not isinstance(answer, VerifyApiKeyResponse):
            return answer
        if found is not None:
            self._share(secret, answer, found.changes)
        return verified_key(answer)

    async def close(self) -> None:
        """Waits for what is being written."""
        if self._writing is not None:
            await self._writing

    async def _read(self, secrets: Sequence[str]) -> Mapping[str, _Found]:
        """The entries in Valkey; nothing if it cannot be asked."""
        if time.monotonic() < self._paused_until:
            return {}
        names = [entry_name(self._cipher.name(secret)) for secret in secrets]
        try:
            changes, *entries = cast("list[bytes | None]", await self._client.mget(CHANGES, *names))
        except RedisError as error:
            self._pause(error)
            return {}
        return {
            secret: _Found(changes or b"", self._decrypt(secret, entry) if entry else None)
            for secret, entry in zip(secrets, entries, strict=True)
        }

    def _share(self, secret: str, answer: VerifyApiKeyResponse, changes: bytes) -> None:
        """Leaves an entry to be written; this caller does not wait for it."""
        now = self._clock()
        until = min(now + SHARED_TTL, moment(answer.expires_at) - TOKEN_MARGIN)
        if until <= now:
            return
        entry = _Entry(
            names=self._names(secret, answer),
            changes=changes,
            encrypted=self._encrypt(secret, answer, until),
            lifetime_ms=_milliseconds(until - now),
        )
        self._unwritten.append(entry)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())

    def _names(self, secret: str, answer: VerifyApiKeyResponse) -> tuple[str, str, str]:
        key = answer.api_key
        return (
            entry_name(self._cipher.name(secret)),
            owner_index_name(key.id),
            owner_index_name(key.organization_id),
        )

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
        keys, arguments = [CHANGES], list[bytes | int]([_milliseconds(SHARED_TTL)])
        for entry in entries:
            keys += entry.names
            arguments += [entry.changes, entry.encrypted, entry.lifetime_ms]
        try:
            await self._store(keys=keys, args=arguments)
        except RedisError as error:
            self._pause(error)

    def _encrypt(self, secret: str, answer: VerifyApiKeyResponse, until: datetime) -> bytes:
        plaintext = _EXPIRY.pack(until.timestamp()) + answer.SerializeToString()
        return self._cipher.encrypt(secret, plaintext)

    def _decrypt(self, secret: str, entry: bytes) -> VerifyApiKeyResponse | None:
        """The content, if it is this secret's and has not expired by our own clock."""
        plaintext = self._cipher.decrypt(secret, entry)
        if plaintext is None:
            return None
        (until,) = _EXPIRY.unpack_from(plaintext)
        if until <= self._clock().timestamp():
            return None
        return VerifyApiKeyResponse.FromString(plaintext[_EXPIRY.size :])

    def _pause(self, error: RedisError) -> None:
        log.warning("shared_keys_unavailable", error=type(error).__name__)
        self._paused_until = time.monotonic() + PAUSE_SECONDS


def _milliseconds(duration: timedelta) -> int:
    return max(1, duration // timedelta(milliseconds=1))
