"""The questions that are asked about API keys, one query each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from portico_kit.edge_state.imported_keys import PREFIX_SHORTEST, possible_prefixes
from portico_kit.paging import Cursors, Order, Page, Paging, fetch_page
from portico_kit.storage.reads import keyed_query
from server.features.keys.models import ApiKey, ImportedSecret
from server.features.keys.read_models import KeyGrantView, KeyView
from server.features.organizations.facade import is_alive

NEWEST_FIRST = Order((ApiKey.id,))

# Sorts after every character that a prefix can have.
_AFTER_ALL = "\x7f"

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

    async def find_to_change(self, key_id: UUID, organizations: Collection[UUID]) -> ApiKey | None:
        """The same; locked: whoever else wants to change it waits for this transaction."""
        query = select(ApiKey).where(ApiKey.id == key_id, ApiKey.organization_id.in_(organizations))
        return await self._db.scalar(query.with_for_update(key_share=True))

    async def list_created_by(
        self, organization_id: UUID, user_id: UUID, limit: int
    ) -> Sequence[UUID]:
        """The ids of an organization's keys that a person created, but the revoked ones."""
        query = select(ApiKey.id).where(
            ApiKey.organization_id == organization_id,
            ApiKey.created_by == user_id,
            ApiKey.revoked_at.is_(None),
        )
        return (await self._db.scalars(query.order_by(ApiKey.id.desc()).limit(limit))).all()

    async def list(
        self,
        organization_id: UUID,
        paging: Paging,
        cursors: Cursors,
        *,
        created_by: UUID | None = None,
    ) -> Page[ApiKey]:
        """A page of an organization's keys, newest first; all of them or a person's."""
        query = select(ApiKey).where(ApiKey.organization_id == organization_id)
        if created_by is not None:
            query = query.where(ApiKey.created_by == created_by)
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


class ImportedSecretRepository:
    """Secrets that other systems made, in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, secret: ImportedSecret) -> None:
        """Adds a new one."""
        self._db.add(secret)

    async def lock(self) -> None:
        """Makes imports wait for each other, for no index can say that no prefix starts another."""
        await self._db.execute(select(func.pg_advisory_xact_lock(func.hashtext("keys.imports"))))

    async def overlapping(self, prefixes: Collection[str]) -> Sequence[str]:
        """The prefixes there are that start one of these, or that one of these starts."""
        shorter = {part for prefix in prefixes for part in possible_prefixes(prefix)}
        longer = [
            and_(ImportedSecret.prefix >= prefix, ImportedSecret.prefix < prefix + _AFTER_ALL)
            for prefix in prefixes
        ]
        query = select(ImportedSecret.prefix).where(
            or_(ImportedSecret.prefix.in_(shorter), *longer)
        )
        return (await self._db.scalars(query)).all()

    async def short_prefixes(self) -> Sequence[str]:
        """The first characters of the prefixes of imported keys, each once."""
        query = select(func.left(ImportedSecret.prefix, PREFIX_SHORTEST)).distinct()
        return (await self._db.scalars(query)).all()

    async def forget(self, key_id: UUID) -> None:
        """Takes a key's imported secret away, if it has one: it is good no more."""
        await self._db.execute(delete(ImportedSecret).where(ImportedSecret.api_key_id == key_id))

    async def adopt(self, key_id: UUID, secret_hash: bytes) -> None:
        """Puts our own hash into the place of an imported one, unless that is gone meanwhile.

        It is a use and no change of the key: version and updated_at stay.
        """
        locked = select(ApiKey.rotated_at).where(ApiKey.id == key_id)
        rotated_at = await self._db.scalar(locked.with_for_update(key_share=True))
        emptied = (
            update(ImportedSecret)
            .where(ImportedSecret.api_key_id == key_id, ImportedSecret.sealed_hash.is_not(None))
            .values(algorithm=None, sealed_hash=None)
            .returning(ImportedSecret.api_key_id)
        )
        if await self._db.scalar(emptied) is None:
            return
        place = ApiKey.secret_hash if rotated_at is None else ApiKey.previous_secret_hash
        own = {place: secret_hash, ApiKey.updated_at: ApiKey.updated_at}
        await self._db.execute(update(ApiKey).where(ApiKey.id == key_id).values(own))


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
IMPORTED_BY_PREFIX = keyed_query(
    select(
        ImportedSecret.api_key_id,
        ImportedSecret.prefix,
        ImportedSecret.algorithm,
        ImportedSecret.sealed_hash,
        ApiKey.expires_at,
        ApiKey.revoked_at,
        ApiKey.rotated_at,
        ApiKey.previous_secret_expires_at,
    ).join(ApiKey, ApiKey.id == ImportedSecret.api_key_id),
    ImportedSecret.prefix,
)
