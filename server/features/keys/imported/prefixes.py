"""The edge's copy of how imported secrets start: it lets no other foreign secret through."""

from __future__ import annotations

from collections.abc import Iterable

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from portico_kit.edge_state.imported_keys import (
    EVERYBODY,
    FAMILIES,
    FAMILIES_CHANNEL,
    FAMILIES_WHOLE,
    MOST_FAMILIES,
    family,
)
from portico_kit.edge_state.projection import Projection
from portico_kit.storage.base import sessions
from server.features.keys.repository import ImportedSecretRepository

# Nothing is ever taken away: a family too many costs the core a look, one too few a customer.
# ARGV: the channel, the most that are told apart, the family of all, then what to add.
_ADD = """
for at = 4, #ARGV do
  local room = redis.call('scard', KEYS[1]) < tonumber(ARGV[2])
  redis.call('sadd', KEYS[1], room and ARGV[at] or ARGV[3])
end
redis.call('publish', ARGV[1], '')
"""


class ImportedPrefixesProjection(Projection):
    """Tells the edge the families of imported secrets."""

    def __init__(self, engine: AsyncEngine, redis: Redis) -> None:
        super().__init__("families")
        self._sessions = sessions(engine)
        self._redis = redis
        self._add = redis.register_script(_ADD)

    async def add(self, prefixes: Iterable[str]) -> None:
        """Keys with these prefixes were imported; call it after the commit."""
        families = sorted({family(prefix) for prefix in prefixes})
        with self.mark_stale_on_error():
            await self._write(families)

    async def rebuild(self) -> None:
        """Writes all of them."""
        async with self._sessions() as db:
            families = await ImportedSecretRepository(db).families()
        await self._write(families)
        await self._redis.sadd(FAMILIES, FAMILIES_WHOLE)
        await self._redis.publish(FAMILIES_CHANNEL, "")

    async def is_complete(self) -> bool:
        """Whether Valkey still holds them."""
        return bool(await self._redis.sismember(FAMILIES, FAMILIES_WHOLE))

    async def _write(self, families: Iterable[str]) -> None:
        told: list[str | int] = [FAMILIES_CHANNEL, MOST_FAMILIES, EVERYBODY, *families]
        await self._add(keys=[FAMILIES], args=told)
