"""Webhooks with limits: how many of their deliveries may be claimed now.

The rate is GCRA: `max_per_second` divides time into slots, each of which is given to one
attempt, of whichever worker. A claim takes the slots of the next `HORIZON`, and an attempt
begins when its slot does. In flight is what has been claimed and whose claim goes on: it
needs no writing when an attempt ends, and that of a dead worker ends by itself.

Both are counted in the transaction that claims, by the clock of the database: workers cannot
have two opinions of them, and there is no other store that could be away or behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.webhooks.delivery_queue import (
    CLAIM_COLUMNS,
    CLAIMED_UNTIL,
    Claim,
    claim_of,
)

# What a claim takes at once. An attempt holds its slot among all attempts as long as this.
HORIZON = timedelta(milliseconds=50)
# How long before its slot an attempt is claimed at the earliest, if its webhook had to wait.
LEAD = HORIZON / 2
# When to try again while another worker claims for the same webhook.
BUSY = timedelta(milliseconds=20)
LOCK_SEED = 0x6C696D697473  # "limits"


@dataclass(frozen=True, slots=True)
class Turn:
    """What a webhook with limits may send now.

    Attributes:
        wait: when it may claim more; None if its limits do not say.
        full: whether it may as soon as one of its attempts has ended.
        slow: whether its receiver takes long.
    """

    claims: tuple[Claim, ...] = ()
    wait: timedelta | None = None
    full: bool = False
    slow: bool = False


# By itself, so that the next statement sees what the one before has counted.
_LOCK = text("""
    select webhook_id from unnest(cast(:webhooks as uuid[])) as asked(webhook_id)
    where pg_try_advisory_xact_lock(hashtextextended(webhook_id::text, :seed))
""")

# The next slot is never further away than a claim can have put it: a clock that went back
# stops nothing. A webhook without a pace is counted by its deliveries.
_CLAIM = text(f"""
    with moment as materialized (select clock_timestamp() as now),
    used as materialized (
        select asked.webhook_id, asked.share, webhooks.max_per_second, webhooks.max_in_flight,
               webhooks.slow_since is not null as slow, moment.now,
               least(greatest(moment.now, webhook_paces.next_slot_at),
                     moment.now + cast(:horizon as interval) + interval '1 second') as first_slot,
               case when webhooks.max_in_flight is null then '{{}}' else live.ids end as live
        from unnest(cast(:webhooks as uuid[]), cast(:shares as integer[]))
             as asked(webhook_id, share)
        join webhooks on webhooks.id = asked.webhook_id and webhooks.enabled
        cross join moment
        left join webhook_paces on webhook_paces.webhook_id = asked.webhook_id
        cross join lateral (
            select coalesce(array_agg(id), '{{}}') as ids from (
                select id from deliveries
                where id = any(webhook_paces.in_flight) and claimed_until > :now
                union all
                select id from deliveries
                where webhook_paces.webhook_id is null
                  and deliveries.webhook_id = asked.webhook_id
                  and next_attempt_at <= :now and claimed_until > :now
            ) claimed
        ) live
    ),
    room as materialized (
        select used.*,
               case when max_per_second is null then share else greatest(0, ceil(
                   extract(epoch from now + :horizon - first_slot) * max_per_second
               )) end::integer as slots,
               case when max_in_flight is null then share
                   else greatest(0, max_in_flight - cardinality(live)) end as places
        from used
    ),
    chosen as materialized (
        select room.webhook_id, due.id,
               row_number() over (partition by room.webhook_id
                                  order by due.next_attempt_at, due.id) - 1 as place
        from room cross join lateral (
            select id, next_attempt_at from deliveries
            where deliveries.webhook_id = room.webhook_id
              and next_attempt_at <= :now
              and (claimed_until is null or claimed_until <= :now)
            order by next_attempt_at
            limit least(room.share, room.slots, room.places)
            for update skip locked
        ) due
    ),
    counted as (
        insert into webhook_paces (webhook_id, next_slot_at, in_flight)
        select webhook_id,
               first_slot + case when max_per_second is null then interval '0'
                   else make_interval(secs => count(*) / max_per_second::float8) end,
               case when max_in_flight is null then '{{}}' else live || array_agg(chosen.id) end
        from room join chosen using (webhook_id)
        group by webhook_id, first_slot, max_per_second, max_in_flight, live
        on conflict (webhook_id) do update
        set next_slot_at = excluded.next_slot_at, in_flight = excluded.in_flight
    ),
    claimed as (
        update deliveries set claimed_until = {CLAIMED_UNTIL}
        from chosen join deliveries claimed on claimed.id = chosen.id
        join webhooks on webhooks.id = claimed.webhook_id
        left join events on events.id = claimed.event_id
        where deliveries.id = chosen.id
        returning chosen.place, {CLAIM_COLUMNS}
    )
    select room.webhook_id as asked_id, room.slow as asked_slow, room.slots, room.places,
           room.max_per_second,
           extract(epoch from room.first_slot - room.now)::float8 as first_slot_seconds, claimed.*
    from room left join claimed on claimed.webhook_id = room.webhook_id
    order by claimed.place
""")  # noqa: S608


async def claim_within_limits(
    db: AsyncSession, turns: Mapping[UUID, int], *, now: datetime, until: datetime
) -> dict[UUID, Turn]:
    """Claims the deliveries of webhooks with limits that may be sent now.

    Args:
        turns: how many at the most, by webhook.
        until: when the claims run out.

    Returns:
        What came of each webhook that is enabled.
    """
    asked = {"webhooks": list(turns), "seed": LOCK_SEED}
    held = set(await db.scalars(_LOCK, asked))
    found = {webhook_id: Turn(wait=BUSY) for webhook_id in turns if webhook_id not in held}
    if not held:
        return found
    rows = await db.execute(
        _CLAIM,
        {
            "webhooks": list(held),
            "shares": [turns[webhook_id] for webhook_id in held],
            "now": now,
            "until": until,
            "horizon": HORIZON,
        },
    )
    by_webhook: dict[UUID, list[RowMapping]] = {}
    for row in rows.mappings():
        by_webhook.setdefault(row["asked_id"], []).append(row)
    for webhook_id, its_rows in by_webhook.items():
        found[webhook_id] = _turn(its_rows, turns[webhook_id], until)
    return found


def _turn(rows: list[RowMapping], share: int, until: datetime) -> Turn:
    """What came of one webhook, of the rows about it: one for each claim, or one without."""
    first = rows[0]
    rate = first["max_per_second"]
    interval = 1 / rate if rate else 0.0
    claims = tuple(_claim(row, interval, until) for row in rows if row["delivery_id"] is not None)
    wait = None
    if first["slots"] <= len(claims) < share:
        next_slot = timedelta(seconds=first["first_slot_seconds"] + len(claims) * interval)
        wait = max(next_slot - LEAD, timedelta())
    return Turn(claims, wait, first["places"] <= len(claims) < share, first["asked_slow"])


def _claim(row: RowMapping, interval: float, until: datetime) -> Claim:
    delay = row["first_slot_seconds"] + row["place"] * interval if interval else 0.0
    fields = {name: row[name] for name in row if name in _FIELDS}
    return claim_of(fields, until, delay)


_FIELDS = frozenset(Claim.__slots__) - {"until", "delay_seconds"}
