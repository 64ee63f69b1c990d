"""The questions that are asked about API keys, one query each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from server.keys.models import ApiKey
from server.kit.paging import Cursors, Order, Page, Paging, fetch_page

NEWEST_FIRST = Order((ApiKey.id,))


class ApiKeyRepository:
    """API keys in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, key: ApiKey) -> None:
        """Adds a new key."""
        self._db.add(key)

    async def find(self, key_id: UUID, organizations: Collection[UUID]) -> ApiKey | None:
        """The key, if one of the organizations owns it."""
        query = select(ApiKey).where(ApiKey.id == key_id, ApiKey.organization_id.in_(organizations))
        return await self._db.scalar(query)

    async def find_by_hash(self, secret_hash: bytes) -> ApiKey | None:
        """The key with this secret, or with this one before its last rotation.

        The one question that cannot be asked inside an organization: it is how
        the organization becomes known.
        """
        matches = or_(ApiKey.secret_hash == secret_hash, ApiKey.previous_secret_hash == secret_hash)
        return await self._db.scalar(select(ApiKey).where(matches))

    async def list(self, organization_id: UUID, paging: Paging, cursors: Cursors) -> Page[ApiKey]:
        """A page of an organization's keys, newest first."""
        query = select(ApiKey).where(ApiKey.organization_id == organization_id)
        return await fetch_page(self._db, query, NEWEST_FIRST, paging, cursors)


async def find_keys(engine: AsyncEngine, key_ids: Sequence[UUID]) -> Mapping[UUID, ApiKey]:
    """Many keys at once, by id: for the batching loader, outside of any call's transaction."""
    async with AsyncSession(engine) as db:
        found = await db.scalars(select(ApiKey).where(ApiKey.id.in_(key_ids)))
        return {key.id: key for key in found}
