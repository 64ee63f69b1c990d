"""The edge's copy of the short prefixes of imported keys: it refuses other foreign secrets."""

from __future__ import annotations

from collections.abc import Iterable

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from portico_kit.edge_state.imported_keys import (
    ANY_PREFIX,
    IMPORTED_PREFIXES,
    IMPORTED_PREFIXES_CHANNEL,
    MAX_SHORT_PREFIXES,
    PREFIXES_COMPLETE,
    short_prefix,
)
from portico_kit.edge_state.projection import Projection
from portico_kit.storage.base import sessions
from server.features.keys.repository import ImportedSecretRepository

# Nothing is ever removed: one too many costs the core a query, one too few locks a customer out.
# ARGV: the channel, the maximum of short prefixes, the one that matches all, then what to add.
_ADD = """
for at = 4, #ARGV do
  local room = redis.call('scard', KEYS[1]) < tonumber(ARGV[2])
  redis.call('sadd', KEYS[1], room and ARGV[at] or ARGV[3])
end
redis.call('publish', ARGV[1], '')
"""


class ImportedPrefixesProjection(Projection):
    """Publishes the short prefixes of imported keys."""

    def __init__(self, engine: AsyncEngine, redis: Redis) -> None:
        super().__init__("imported_prefixes")
        self._sessions = sessions(engine)
        self._redis = redis
        self._add = redis.register_script(_ADD)

    async def add(self, prefixes: Iterable[str]) -> None:
        """Keys with these prefixes were imported; call it after the commit."""
        short_prefixes = sorted({short_prefix(prefix) for prefix in prefixes})
        with self.mark_stale_on_error():
            await self._write(short_prefixes)

    async def rebuild(self) -> None:
        """Writes all of them."""
        async with self._sessions() as db:
            prefixes = await ImportedSecretRepository(db).short_prefixes()
        await self._write(prefixes)
        await self._redis.sadd(IMPORTED_PREFIXES, PREFIXES_COMPLETE)
        await self._redis.publish(IMPORTED_PREFIXES_CHANNEL, "")

    async def is_complete(self) -> bool:
        """Whether Valkey still holds them."""
        return bool(await self._redis.sismember(IMPORTED_PREFIXES, PREFIXES_COMPLETE))

    async def _write(self, short_prefixes: Iterable[str]) -> None:
        stated = (IMPORTED_PREFIXES_CHANNEL, MAX_SHORT_PREFIXES, ANY_PREFIX)
        await self._add(keys=[IMPORTED_PREFIXES], args=[*stated, *short_prefixes])
