"""The questions that are asked about API keys, one query each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from server.keys.models import ApiKey
from server.kit.paging import Cursors, Order, Page, Paging, fetch_page
from server.kit.reads import keyed_query

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

    async def find_by_hashes(self, hashes: Collection[bytes]) -> Mapping[bytes, ApiKey]:
        """The keys with these secrets, or with these before their last rotation, by hash.

        The one question that cannot be asked inside an organization: it is how
        the organization becomes known.
        """
        if not hashes:
            return {}
        matches = or_(ApiKey.secret_hash.in_(hashes), ApiKey.previous_secret_hash.in_(hashes))
        keys = (await self._db.scalars(select(ApiKey).where(matches))).all()
        earlier = {key.previous_secret_hash: key for key in keys if key.previous_secret_hash}
        return {**earlier, **{key.secret_hash: key for key in keys}}

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


# What decides whether a key is good, for many keys at once and outside of any call's transaction.
GRANTS = keyed_query(
    select(
        ApiKey.id,
        ApiKey.organization_id,
        ApiKey.scopes,
        ApiKey.allowed_cidrs,
        ApiKey.secret_hash,
        ApiKey.previous_secret_hash,
        ApiKey.previous_secret_expires_at,
        ApiKey.expires_at,
        ApiKey.revoked_at,
    ),
    ApiKey.id,
)
