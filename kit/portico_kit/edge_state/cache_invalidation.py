"""Tells the edge, through Valkey, that what it remembers no longer holds.

Each edge process remembers keys itself, and all of them share what lies in
Valkey under the names below. One script takes the shared part away and sends
the message about the rest, so that neither happens without the other.
"""

from __future__ import annotations

from uuid import UUID

from redis.asyncio import Redis

KEYS_CHANGED = "portico:keys:changed"
ORGANIZATIONS_CHANGED = "portico:organizations:changed"

# One hash tag: a cluster keeps these together, so that a script may use them at once.
_SHARED = "{portico:keys}"
# Counts the changes. What was asked before a change is not kept after it.
CHANGES = f"{_SHARED}:changes"

_FORGET = """
redis.call('incr', KEYS[1])
for _, name in ipairs(redis.call('smembers', KEYS[2])) do
  redis.call('unlink', name)
end
redis.call('unlink', KEYS[2])
redis.call('publish', ARGV[1], ARGV[2])
"""


def entry_name(name: str) -> str:
    """Where the edge keeps whom a secret stands for."""
    return f"{_SHARED}:verified:{name}"


def owner_index_name(owner: str) -> str:
    """Where the edge keeps which of these entries a key, or an organization, stands behind."""
    return f"{_SHARED}:owned:{owner}"


class CacheInvalidator:
    """Makes the edge forget. Call it after the commit: `call.after_commit`."""

    def __init__(self, redis: Redis) -> None:
        self._forget = redis.register_script(_FORGET)

    async def key_changed(self, key_id: UUID) -> None:
        """An API key was changed, rotated or revoked."""
        await self._changed(KEYS_CHANGED, str(key_id))

    async def organization_changed(self, organization_id: UUID) -> None:
        """An organization was deleted or got another tier."""
        await self._changed(ORGANIZATIONS_CHANGED, str(organization_id))

    async def _changed(self, channel: str, owner: str) -> None:
        await self._forget(keys=[CHANGES, owner_index_name(owner)], args=[channel, owner])
