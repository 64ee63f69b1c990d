"""The questions about events and cursors, one query each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, inspect, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.paging import Cursors, Order, Page, Paging, fetch_page
from portico_kit.storage.statements import Statement
from server.common.records import Event
from server.features.events.models import EventCursor

OLDEST_FIRST = Order((Event.sequence,), descending=False)
NEWEST_FIRST = Order((Event.sequence,))
LOCK_SEED = 0x637572736F72  # "cursor"

# The next events of many organizations: consecutive numbers, for a number is seen only when
# all before it are.
NEXT_EVENTS = Statement(
    """
    select asked.organization_id, event.id, event.sequence, event.type, event.platform,
           event.created_at, event.data
    from unnest(%(organizations)s::uuid[], %(afters)s::bigint[])
         as asked(organization_id, after)
    cross join lateral (
        select id, sequence, type, platform, created_at, data::text as data from events
        where events.organization_id = asked.organization_id and sequence > asked.after
          and sequence is not null
        order by sequence limit %(limit)s
    ) event
    order by asked.organization_id, event.sequence
    """,
    {},
)

# The last number of organizations, and the last one that is not shown any more. The oldest
# events by time need not have the lowest numbers: a long transaction gets a late one.
BOUNDS = Statement(
    """
    select asked.organization_id, coalesce(numbers.last, 0) as last,
           coalesce(oldest.sequence - 1, numbers.last, 0) as hidden
    from unnest(%(organizations)s::uuid[]) as asked(organization_id)
    left join event_sequences numbers using (organization_id)
    cross join lateral (
        select min(sequence) as sequence from (
            select sequence from events
            where events.organization_id = asked.organization_id and sequence is not null
              and created_at >= %(shown_since)s
            order by created_at limit 100
        ) first
    ) oldest
    """,
    {},
)

LAST_NUMBERS = Statement(
    "select organization_id, last from event_sequences"
    " where organization_id = any(%(organizations)s::uuid[])",
    {},
)

FIRST_SINCE = Statement(
    """
    select min(sequence) as sequence from (
        select sequence from events
        where organization_id = %(organization_id)s and sequence is not null
          and created_at >= %(since)s
        order by created_at limit 1000
    ) first
    """,
    {},
)

SAVED_POSITION = Statement(
    "select position from event_cursors where organization_id = %(organization_id)s"
    " and owner_kind = %(owner_kind)s and owner_id = %(owner_id)s and name = %(name)s",
    {},
)


class EventRepository:
    """Events in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    async def list(
        self,
        organization_id: UUID,
        *,
        types: Collection[str],
        after: int,
        since: datetime,
        oldest_first: bool,
        paging: Paging,
        cursors: Cursors,
    ) -> Page[Event]:
        """A page of an organization's events of some types."""
        query = select(Event).where(
            Event.organization_id == organization_id,
            Event.sequence > after,
            Event.sequence.is_not(None),
            Event.created_at >= since,
            Event.type.in_(types),
        )
        order = OLDEST_FIRST if oldest_first else NEWEST_FIRST
        return await fetch_page(self._db, query, order, paging, cursors)


class EventCursorRepository:
    """The cursors of one caller in one organization, in the caller's transaction."""

    def __init__(
        self, db: AsyncSession, organization_id: UUID, owner_kind: str, owner_id: UUID
    ) -> None:
        self._db = db
        self._organization_id = organization_id
        self._owner_kind = owner_kind
        self._owner_id = owner_id

    async def save(self, name: str, position: int) -> datetime:
        """Saves a position under a name, and says when."""
        values = {
            "organization_id": self._organization_id,
            "owner_kind": self._owner_kind,
            "owner_id": self._owner_id,
            "name": name,
            "position": position,
        }
        written = (
            insert(EventCursor)
            .values(values)
            .on_conflict_do_update(
                index_elements=["organization_id", "owner_kind", "owner_id", "name"],
                set_={"position": position, "updated_at": func.now()},
            )
            .returning(EventCursor.updated_at)
        )
        return (await self._db.execute(written)).scalar_one()

    async def names(self) -> Sequence[str]:
        """The names of all; nobody else adds one before the call ends."""
        lock = func.pg_advisory_xact_lock(
            func.hashtextextended(f"{self._organization_id}{self._owner_id}", LOCK_SEED)
        )
        await self._db.execute(select(lock))
        query = select(EventCursor.name).where(
            EventCursor.organization_id == self._organization_id,
            EventCursor.owner_kind == self._owner_kind,
            EventCursor.owner_id == self._owner_id,
        )
        return (await self._db.scalars(query)).all()


async def delete_cursors_before(db: AsyncSession, moment: datetime, limit: int) -> int:
    """Deletes cursors that were last saved before a moment, and says how many."""
    key = tuple_(*inspect(EventCursor).primary_key)
    chosen = (
        select(*inspect(EventCursor).primary_key)
        .where(EventCursor.updated_at < moment)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    gone = await db.execute(
        delete(EventCursor)
        .where(key.in_(chosen))
        .returning(EventCursor.name)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())
