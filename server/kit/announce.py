"""Tells the edge, over Valkey pub/sub, that what it remembers no longer holds."""

from __future__ import annotations

from uuid import UUID

from redis.asyncio import Redis

KEYS_CHANGED = "portico:keys:changed"
ORGANIZATIONS_CHANGED = "portico:organizations:changed"


class Announcer:
    """Publishes changes. Call it after the commit: `call.after_commit`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def key_changed(self, key_id: UUID) -> None:
        """An API key was changed, rotated or revoked."""
        await self._redis.publish(KEYS_CHANGED, str(key_id))

    async def organization_changed(self, organization_id: UUID) -> None:
        """An organization was deleted or got another tier."""
        await self._redis.publish(ORGANIZATIONS_CHANGED, str(organization_id))
