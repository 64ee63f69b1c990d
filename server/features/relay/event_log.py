"""What the relay asks the database, on one connection: to hold it is to be the relay.

The lock of the session ends with its connection, so that nobody has to end it for a process
that has died; and who has lost the connection can neither read nor say what was relayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from portico_kit.storage.connection import CONNECTION
from server.features.relay.cloud_events import RelayedEvent

LOCK_SEED = 0x72656C6179  # "relay"
# The server, too, looks whether the other side is still there: else the lock of a machine that
# has lost its power is held for hours.
KEEPALIVES = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=20000 -c application_name=portico-relay"
)

# Bytes of events that are read at once, as they are stored.
ROOM = 4_000_000

Connection = AsyncConnection[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are for the bus.

    Attributes:
        organizations: those whose events; None for all.
        types: the types; "*" stands for all that belong to organizations. What belongs to
            none, as what happens to people, is named, as for webhooks.
    """

    organizations: Sequence[UUID] | None = None
    types: Sequence[str] = ("*",)


@dataclass(frozen=True, slots=True)
class Behind:
    """An organization with events that the bus does not have.

    Attributes:
        stored: the last one that it has.
        last: the last one that there is.
    """

    organization_id: UUID
    stored: int
    last: int


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind a bus is.

    Attributes:
        events: how many events it does not have.
        organizations: of how many organizations.
        seconds: the age of the oldest of them; 0.0 if it has all.
    """

    events: int
    organizations: int
    seconds: float


# Transactions are seen in the order of their commits, which is not that of their numbers: the
# next question begins with the oldest that was under way during this one. Numbers above those
# of this server come from before a restore.
_CHANGED = """
    with now as materialized (select pg_current_snapshot() as snapshot)
    select pg_snapshot_xmin(snapshot)::text::bigint as horizon,
           found.organization_id, found.stored, found.last
    from now left join lateral (
        select numbered.organization_id, coalesce(position.sequence, 0) as stored, numbered.last
        from event_sequences numbered left join relay_positions position
            on position.relay = %(relay)s
            and position.organization_id = numbered.organization_id
        where numbered.changed_in >= %(horizon)s
          and numbered.changed_in < pg_snapshot_xmax(snapshot)::text::bigint
          and numbered.last > coalesce(position.sequence, 0)
          and (%(organizations)s::uuid[] is null
               or numbered.organization_id = any(%(organizations)s::uuid[]))
    ) found on true
"""

# The same of all organizations, whenever they changed.
_ALL = _CHANGED.replace(
    """numbered.changed_in >= %(horizon)s
          and numbered.changed_in < pg_snapshot_xmax(snapshot)::text::bigint
          and """,
    "",
)

# What does not fit into the room is named without its data.
_READ = """
    select organization_id, sequence, id, type, created_at, taken, room,
           case when taken and room then data::text end as data
    from (
        select event.*,
               event.type = any(%(types)s::text[])
                   or (not event.platform and '*' = any(%(types)s::text[])) as taken,
               sum(pg_column_size(event.data)) over (order by asked.place, event.sequence)
                   - pg_column_size(event.data) < %(bytes)s as room
        from unnest(%(organizations)s::uuid[], %(after)s::bigint[]) with ordinality
             as asked(organization_id, after, place)
        cross join lateral (
            select * from events
            where events.organization_id = asked.organization_id
              and events.sequence > asked.after
            order by events.sequence limit %(each)s
        ) event
        order by asked.place, event.sequence
    ) found
"""

_BEGIN = """
    with new as (
        insert into relays (name) values (%(relay)s) on conflict do nothing returning name
    )
    insert into relay_positions (relay, organization_id, sequence)
    select new.name, organization_id, last from new, event_sequences where %(latest)s
"""

_STORE = """
    insert into relay_positions (relay, organization_id, sequence)
    select %(relay)s, asked.organization_id, asked.sequence
    from unnest(%(organizations)s::uuid[], %(sequences)s::bigint[])
         as asked(organization_id, sequence)
    order by asked.organization_id
    on conflict (relay, organization_id) do update set sequence = excluded.sequence
"""

_LAG = """
    with behind as (
        select numbered.organization_id, coalesce(position.sequence, 0) as stored, numbered.last
        from event_sequences numbered left join relay_positions position
            on position.relay = %(relay)s
            and position.organization_id = numbered.organization_id
        where numbered.last > coalesce(position.sequence, 0)
          and (%(organizations)s::uuid[] is null
               or numbered.organization_id = any(%(organizations)s::uuid[]))
    )
    select coalesce(sum(behind.last - behind.stored), 0)::bigint as events,
           count(*) as organizations,
           coalesce(extract(epoch from now() - min(oldest.created_at)), 0)::float as seconds
    from behind left join lateral (
        select created_at from events
        where events.organization_id = behind.organization_id
          and events.sequence > behind.stored
        order by events.sequence limit 1
    ) oldest on true
"""

_HOLDER = """
    select coalesce(host(activity.client_addr), 'the machine of the database') as address
    from pg_locks lock join pg_stat_activity activity using (pid)
    where lock.locktype = 'advisory' and lock.granted and lock.objsubid = 1
      and lock.database = (select oid from pg_database where datname = current_database())
      and (lock.classid::bigint << 32) | lock.objid::bigint
          = hashtextextended(%(relay)s, %(seed)s)
"""


async def connect(url: str) -> Connection:
    """A connection that ends by itself if the other side has gone."""
    options = {**CONNECTION, "options": f"{CONNECTION['options']} {KEEPALIVES}"}
    return await AsyncConnection.connect(url, autocommit=True, row_factory=dict_row, **options)


class EventLog:
    """The events, and what one bus has of them.

    Args:
        connection: whose session holds the lock.
        relay: the name of the bus.
    """

    def __init__(self, connection: Connection, relay: str, wanted: Wanted) -> None:
        self._connection = connection
        self.relay = relay
        self._wanted = wanted
        # From which transaction on organizations are looked at.
        self._horizon = 0

    async def hold(self) -> bool:
        """Whether this process is the relay from now on, as long as the connection lasts."""
        query = "select pg_try_advisory_lock(hashtextextended(%s, %s)) as held"
        (row,) = await self._rows(query, (self.relay, LOCK_SEED))
        return bool(row["held"])

    async def begin(self, latest: bool) -> None:
        """Remembers that this bus is relayed to.

        Args:
            latest: whether a new one begins with the events to come, not with the oldest.
        """
        await self._execute(_BEGIN, {"relay": self.relay, "latest": latest})

    async def behind(self) -> list[Behind]:
        """All organizations with events that the bus does not have."""
        return await self._find(_ALL)

    async def changed(self) -> list[Behind]:
        """Those that got new events since they were asked for the last time, or later."""
        return await self._find(_CHANGED)

    async def read(
        self, after: Mapping[UUID, int], each: int
    ) -> Mapping[UUID, Sequence[RelayedEvent]]:
        """The next events of organizations, those of each in their order.

        Args:
            after: the last event that was relayed, by organization.
            each: how many of one at the most.

        Returns:
            The events by organization. One that has none any more is not there; one whose
            events are for the next time has an empty list.
        """
        asked = {
            "organizations": [*after],
            "after": [*after.values()],
            "each": each,
            "types": [*self._wanted.types],
            "bytes": ROOM,
        }
        found: dict[UUID, list[RelayedEvent]] = {}
        for row in await self._rows(_READ, asked):
            events = found.setdefault(row["organization_id"], [])
            if row["room"]:
                events.append(_event(row))
        return found

    async def store(self, positions: Mapping[UUID, int]) -> None:
        """Remembers the last event that the bus has, by organization.

        Without any it only finds out whether the connection, and so the lock, is still there.
        """
        if not positions:
            await self._execute("select 1")
            return
        rows = {
            "relay": self.relay,
            "organizations": [*positions],
            "sequences": [*positions.values()],
        }
        await self._execute(_STORE, rows)

    async def lag(self) -> Lag:
        """How far behind the bus is."""
        asked = {"relay": self.relay, "organizations": self._organizations}
        (row,) = await self._rows(_LAG, asked)
        return Lag(**row)

    async def holder(self) -> str | None:
        """The address of the process that is the relay; None if there is none."""
        asked = {"relay": self.relay, "seed": LOCK_SEED}
        rows = await self._rows(_HOLDER, asked)
        return rows[0]["address"] if rows else None

    async def close(self) -> None:
        """Ends the connection, and with it the lock."""
        with suppress(Exception):
            await self._connection.close()

    @property
    def _organizations(self) -> list[UUID] | None:
        chosen = self._wanted.organizations
        return None if chosen is None else [*chosen]

    async def _find(self, query: str) -> list[Behind]:
        asked = {
            "relay": self.relay,
            "horizon": self._horizon,
            "organizations": self._organizations,
        }
        rows = await self._rows(query, asked)
        self._horizon = rows[0].pop("horizon")
        for row in rows[1:]:
            del row["horizon"]
        return [Behind(**row) for row in rows if row["organization_id"] is not None]

    async def _rows(self, query: Any, values: Any = None) -> list[dict[str, Any]]:
        cursor = await self._connection.execute(query, values)
        return await cursor.fetchall()

    async def _execute(self, query: Any, values: Any = None) -> None:
        await self._connection.execute(query, values)


def _event(row: Mapping[str, Any]) -> RelayedEvent:
    return RelayedEvent(
        organization_id=row["organization_id"],
        sequence=row["sequence"],
        id=row["id"],
        type=row["type"],
        created_at=row["created_at"],
        data=row["data"],
    )
