"""Ordered webhooks: deliveries stand in lines, and only the first of a line may be sent.

A line is all pending deliveries of a webhook with the same `ordering_key`, by the numbers of
their events. All but the first are `BLOCKED`: they are due at the end of time, so that nobody
who looks for what is due finds them, and a claim needs to know nothing of lines. When the
first has ended, the next becomes due. A first one that fails stays the first until it is
given up; one whose worker died does, too.

Whoever ends a delivery or adds one lets the next go after the commit, when both see what the
other did. What is left undone by a process that dies in between is found by `unblock`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import new_id
from server.features.webhooks.event_types import TEST_EVENT
from server.features.webhooks.models import BLOCKED, Delivery, Webhook, WebhookPace


class OrderedDelivery(NamedTuple):
    """A delivery that is to be added to an ordered webhook.

    Attributes:
        event_type: under the name that the webhook subscribes to.
    """

    event_id: UUID
    webhook_id: UUID
    event_type: str


# The line of a delivery: 0 if its webhook has only one, else a hash of the field that the
# order depends on. Null is no line: the event does not have the field.
_KEY = """
    case webhooks.ordering
        when 'webhook' then 0
        when 'field' then hashtextextended(
            jsonb_build_object('type', events.type, 'data', events.data)
            #>> string_to_array(webhooks.order_by, '.'), 0)
    end
"""

_ADD = text(f"""
    with new as (
        select asked.id, asked.webhook_id, webhooks.organization_id, events.id as event_id,
               asked.type, {_KEY} as key, coalesce(events.sequence, 0) as sequence
        from unnest(cast(:ids as uuid[]), cast(:events as uuid[]), cast(:webhooks as uuid[]),
                    cast(:types as text[]))
             as asked(id, event_id, webhook_id, type)
        join events on events.id = asked.event_id
        join webhooks on webhooks.id = asked.webhook_id
    ),
    placed as (
        select new.*,
               row_number() over (partition by webhook_id, key order by sequence, id) as place
        from new
    )
    insert into deliveries (id, webhook_id, organization_id, event_id, event_type,
                            status, attempt_count, schedule_position, next_attempt_at,
                            ordering_key, ordering_sequence)
    select id, webhook_id, organization_id, event_id, type, 'pending', 0, 0,
           case when key is null or (place = 1 and not exists (
               select from deliveries
               where deliveries.webhook_id = placed.webhook_id
                 and deliveries.ordering_key = placed.key
                 and deliveries.next_attempt_at is not null
           )) then cast(:now as timestamptz) else cast(:blocked as timestamptz) end,
           key, case when key is not null then sequence end
    from placed
    on conflict do nothing
    returning id, next_attempt_at
""")  # noqa: S608

# A row that somebody holds is left to them: another who lets it go, or a caller who skips it
# and has the workers look at everything afterwards. The first of a line is found without
# regard to locks: the one after it is not the first.
_LET_GO = """
    firsts as materialized (
        select first.* from lines cross join lateral (
            select id, next_attempt_at from deliveries
            where deliveries.webhook_id = lines.webhook_id
              and deliveries.ordering_key = lines.ordering_key
              and next_attempt_at is not null
            order by ordering_sequence, id limit 1
        ) first
    ),
    free as (
        select deliveries.id from firsts join deliveries using (id)
        where firsts.next_attempt_at = :blocked and deliveries.next_attempt_at = :blocked
        for update of deliveries skip locked
    )
    update deliveries set next_attempt_at = :now from free where deliveries.id = free.id
"""

_LET_NEXT_GO = text(f"""
    with lines as (
        select distinct webhook_id, ordering_key from deliveries
        where id = any(cast(:ids as uuid[])) and ordering_key is not null
    ),
    {_LET_GO}
""")  # noqa: S608

# A loose index scan: one probe for each line.
_UNBLOCK = text(f"""
    with recursive lines(webhook_id, ordering_key) as (
        (select webhook_id, ordering_key from deliveries
         where ordering_key is not null and next_attempt_at is not null
         order by webhook_id, ordering_key limit 1)
        union all
        select next.* from lines cross join lateral (
            select webhook_id, ordering_key from deliveries
            where ordering_key is not null and next_attempt_at is not null
              and (webhook_id, ordering_key) > (lines.webhook_id, lines.ordering_key)
            order by webhook_id, ordering_key limit 1
        ) next
    ),
    {_LET_GO}
""")  # noqa: S608

_NEW_LINES = text(f"""
    update deliveries
    set ordering_key = new.key,
        ordering_sequence = case when new.key is not null then new.sequence end
    from (
        select deliveries.id, {_KEY} as key, coalesce(events.sequence, 0) as sequence
        from deliveries join webhooks on webhooks.id = deliveries.webhook_id
        left join events on events.id = deliveries.event_id
        where deliveries.webhook_id = :webhook_id and next_attempt_at is not null
          and event_type <> :test
    ) new
    where deliveries.id = new.id
""")  # noqa: S608

# What is being sent goes on: it is no use to block it.
_NEW_PLACES = text("""
    update deliveries
    set next_attempt_at = case when placed.blocked
        then cast(:blocked as timestamptz) else cast(:now as timestamptz) end
    from (
        select id, ordering_key is not null and (claimed_until is null or claimed_until <= :now)
               and row_number() over (
                   partition by ordering_key order by ordering_sequence, id) > 1 as blocked
        from deliveries where webhook_id = :webhook_id and next_attempt_at is not null
    ) placed
    where deliveries.id = placed.id
      and placed.blocked <> (deliveries.next_attempt_at = :blocked)
""")


async def add_ordered_deliveries(
    db: AsyncSession, deliveries: Iterable[OrderedDelivery], now: datetime
) -> Sequence[UUID]:
    """Adds deliveries to ordered webhooks; one that is there already is left alone.

    Whoever calls holds the webhooks, and the events have their numbers: whatever comes
    before these in their lines has been added.

    Args:
        deliveries: what is added.

    Returns:
        Those that wait for others. `let_next_go` is to be called with them after the
        commit: what they wait for may have ended meanwhile.
    """
    new = list(deliveries)
    if not new:
        return []
    columns = {
        "ids": [new_id() for _ in new],
        "events": [one.event_id for one in new],
        "webhooks": [one.webhook_id for one in new],
        "types": [one.event_type for one in new],
    }
    rows = await db.execute(_ADD, {**columns, "now": now, "blocked": BLOCKED})
    return [delivery_id for delivery_id, due in rows if due == BLOCKED]


async def let_next_go(db: AsyncSession, deliveries: Collection[UUID], now: datetime) -> None:
    """Makes the first of each line of these deliveries due, if it is not yet."""
    if deliveries:
        line = {"ids": list(deliveries), "now": now, "blocked": BLOCKED}
        await db.execute(_LET_NEXT_GO, line)


async def unblock(db: AsyncSession, now: datetime) -> None:
    """Makes the first of every line due, if it is not yet.

    For what happens without anybody who lets the next go: a skipped delivery, a deleted one,
    a worker that died.
    """
    await db.execute(_UNBLOCK, {"now": now, "blocked": BLOCKED})


async def lock_for_reordering(db: AsyncSession, webhook_id: UUID) -> None:
    """Waits for everybody who adds deliveries by the order that a webhook has until now."""
    await db.execute(select(Webhook.id).where(Webhook.id == webhook_id).with_for_update())


async def reorder(db: AsyncSession, webhook_id: UUID, now: datetime) -> None:
    """Gives the pending deliveries of a webhook their places by its new order.

    Those in flight go on. A delivery of a test is in no line.
    """
    named = {"webhook_id": webhook_id}
    # First all of them, which holds them: nobody claims one meanwhile.
    await db.execute(_NEW_LINES, {**named, "test": TEST_EVENT})
    await db.execute(_NEW_PLACES, {**named, "now": now, "blocked": BLOCKED})


async def forget_pace(db: AsyncSession, webhook_id: UUID) -> None:
    """Has the claims of a webhook counted from the rows, for its limits have changed."""
    await db.execute(delete(WebhookPace).where(WebhookPace.webhook_id == webhook_id))


async def find_first(db: AsyncSession, delivery: Delivery) -> UUID | None:
    """The first of a delivery's line; None if it is in none."""
    return await db.scalar(
        select(Delivery.id)
        .where(
            Delivery.webhook_id == delivery.webhook_id,
            Delivery.ordering_key == delivery.ordering_key,
            Delivery.next_attempt_at.is_not(None),
        )
        .order_by(Delivery.ordering_sequence, Delivery.id)
        .limit(1)
    )
