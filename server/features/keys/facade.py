"""API keys for other features: what they may know, without seeing a row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.features.keys.authenticator import KEY
from server.features.keys.repository import ApiKeyRepository


class ApiKeys:
    """Answers about the API keys of an organization, in the caller's transaction."""

    # Of the principals that are keys.
    kind = KEY.name

    async def created_by(
        self, db: AsyncSession, organization_id: UUID, user_id: UUID, limit: int
    ) -> Sequence[UUID]:
        """The keys that a person created and that are not revoked, the newest first."""
        return await ApiKeyRepository(db).list_created_by(organization_id, user_id, limit)

    async def scopes(
        self, db: AsyncSession, organization_id: UUID, key_id: UUID, now: datetime
    ) -> frozenset[str]:
        """What a key may do; nothing if it is revoked or has expired."""
        key = await ApiKeyRepository(db).find(key_id, [organization_id])
        if key is None or key.status(now) != "active":
            return frozenset()
        return frozenset(key.scopes)
