"""The questions that are asked about API keys, one query each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from server.keys.models import ApiKey
from server.keys.views import KeyGrantView, KeyView
from server.kit.paging import Cursors, Order, Page, Paging, fetch_page
from server.kit.reads import keyed_query
from server.organizations.tenants import is_alive

NEWEST_FIRST = Order((ApiKey.id,))

# Rows are locked in the order of their ids, so that two batches never wait for each other.
_ADD_USES = text("""
with added as (
  select id, sum(count) as count, max(used_at) as used_at
  from unnest(cast(:ids as uuid[]), cast(:counts as bigint[]), cast(:moments as timestamptz[]))
    as uses (id, count, used_at)
  group by id
), locked as (
  select id from api_keys where id = any(cast(:ids as uuid[])) order by id for no key update
)
update api_keys
set use_count = use_count + added.count, last_used_at = greatest(last_used_at, added.used_at)
from added join locked using (id)
where api_keys.id = added.id
""")


@dataclass(frozen=True, slots=True)
class Uses:
    """How often a key was used since the last time this was asked."""

    key_id: UUID
    count: int
    last_used_at: datetime


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

    async def list(self, organization_id: UUID, paging: Paging, cursors: Cursors) -> Page[ApiKey]:
        """A page of an organization's keys, newest first."""
        query = select(ApiKey).where(ApiKey.organization_id == organization_id)
        return await fetch_page(self._db, query, NEWEST_FIRST, paging, cursors)

    async def add_uses(self, uses: Sequence[Uses]) -> None:
        """Adds to the use counts of many keys; those that do not exist are passed over."""
        await self._db.execute(
            _ADD_USES,
            {
                "ids": [use.key_id for use in uses],
                "counts": [use.count for use in uses],
                "moments": [use.last_used_at for use in uses],
            },
        )


def _columns(view: type[KeyGrantView]) -> list[InstrumentedAttribute[Any]]:
    """The columns of a view, in the order of its fields."""
    return [getattr(ApiKey, field.name) for field in fields(view)]


# Asked for many keys at once and outside of any call's transaction.
GRANTS = keyed_query(
    select(*_columns(KeyGrantView)).where(is_alive(ApiKey.organization_id)), ApiKey.id
)
# The one question that cannot be asked inside an organization: by the hash of a secret, or of
# the one before the last rotation, the organization becomes known.
VIEW_BY_HASH = keyed_query(
    select(*_columns(KeyView)), ApiKey.secret_hash, ApiKey.previous_secret_hash
)
