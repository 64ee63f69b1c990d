"""Invalidates, through Valkey, what the edge has cached.

Each edge process caches keys itself, and all of them share the entries in
Valkey under the names below. One script deletes the shared entries and publishes
the message about the others, so that neither happens without the other.
"""

from __future__ import annotations

from uuid import UUID

from redis.asyncio import Redis

KEYS_CHANGED = "portico:keys:changed"
ORGANIZATIONS_CHANGED = "portico:organizations:changed"
APPLICATIONS_CHANGED = "portico:applications:changed"

# One hash tag: a cluster keeps these together, so that a script may use them at once.
_SHARED = "{portico:keys}"
# Counts the changes. What was looked up before a change is not stored after it.
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
    """The name of the entry with the key of a secret."""
    return f"{_SHARED}:verified:{name}"


def owner_index_name(owner: str) -> str:
    """The name of the set with the entries of a key, an application or an organization."""
    return f"{_SHARED}:owned:{owner}"


class CacheInvalidator:
    """Makes the edge forget. Called after the commit: `call.after_commit`."""

    def __init__(self, redis: Redis) -> None:
        self._forget = redis.register_script(_FORGET)

    async def key_changed(self, key_id: UUID) -> None:
        """An API key was changed, rotated or revoked."""
        await self._changed(KEYS_CHANGED, str(key_id))

    async def application_changed(self, application_id: UUID) -> None:
        """An application was changed, disabled or deleted, or its secret rotated or revoked."""
        await self._changed(APPLICATIONS_CHANGED, str(application_id))

    async def organization_changed(self, organization_id: UUID) -> None:
        """An organization was deleted or got another tier."""
        await self._changed(ORGANIZATIONS_CHANGED, str(organization_id))

    async def _changed(self, channel: str, owner: str) -> None:
        await self._forget(keys=[CHANGES, owner_index_name(owner)], args=[channel, owner])
