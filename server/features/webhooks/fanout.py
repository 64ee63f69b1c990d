"""From an event to its deliveries: what the workers ask about events that are not yet told."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import new_id
from server.common.records import Event
from server.features.webhooks.delivery_queue import DueWebhook
from server.features.webhooks.models import Webhook

# Rows of one transaction: an organization with a hundred webhooks is not to hold up the
# next one for long.
MAX_DELIVERIES = 250
# Organizations that share one transaction.
MAX_ORGANIZATIONS = 50
LOCK_SEED = 0x6576656E7473  # "events"
# Before the id of every organization.
BEGINNING = UUID(int=0)


@dataclass(frozen=True, slots=True)
class FannedOut:
    """What one batch came to.

    Attributes:
        count: how many events have their deliveries now.
        due: the webhooks that have something to be sent.
        last: the organization after which the next batch goes on.
        more: whether there may be more events.
        waits: whether all of them are of organizations that other workers are at.
        numbered: the organizations that have further events in their order now.
    """

    count: int = 0
    due: Sequence[DueWebhook] = ()
    last: UUID = BEGINNING
    more: bool = False
    waits: bool = False
    numbered: Collection[UUID] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """An event, and the webhooks that take it now."""

    event: Event
    webhooks: Sequence[Webhook]

    @property
    def cost(self) -> int:
        """What it takes of a transaction; marking an event that nobody wants is a row, too."""
        return max(1, len(self.webhooks))


async def fan_out(
    db: AsyncSession, now: datetime, limit: int, after: UUID = BEGINNING
) -> FannedOut:
    """Numbers events and makes their deliveries; organizations take turns.

    An organization that another worker is at is left out, so that its events get their
    numbers in the order of their times. Whoever calls commits: the deliveries and the
    number of the event must come to be together.

    Args:
        limit: how many events at the most.
        after: the organization that had the last turn.
    """
    found = await _claim_pending(db, limit, after)
    events = [event for event in found if event is not None]
    if not events:
        return FannedOut(last=after, more=bool(found), waits=bool(found))
    subscribers = await _enabled_webhooks(db, {event.organization_id for event in events})
    batch = _fair_batch(
        Share(
            event,
            [each for each in subscribers.get(event.organization_id, ()) if each.takes(event)],
        )
        for event in events
    )
    await add_deliveries(db, batch, now)
    await _number(db, [share.event for share in batch], now)
    due = {webhook.id: due_webhook(webhook) for share in batch for webhook in share.webhooks}
    # A share of the claim is two events or more: a single one was the last of its organization.
    last = batch[-1].event.organization_id
    numbered = {share.event.organization_id for share in batch}
    return FannedOut(len(batch), list(due.values()), last, more=len(found) > 1, numbered=numbered)


def _fair_batch(shares: Iterable[Share]) -> list[Share]:
    """As many as one transaction may hold, the next always of whoever has cost the least so far.

    So an organization with a hundred webhooks has one event in it for a hundred of
    another that has a single one; equals take turns in the order that they come in.
    """
    queues: defaultdict[UUID, deque[Share]] = defaultdict(deque)
    for share in shares:
        queues[share.event.organization_id].append(share)
    turns = [(0, place, queue) for place, queue in enumerate(queues.values())]
    batch: list[Share] = []
    room = MAX_DELIVERIES
    while turns:
        cost, place, queue = heappop(turns)
        share = queue.popleft()
        room -= share.cost
        # The first always has room.
        if room < 0 and batch:
            break
        batch.append(share)
        if queue:
            heappush(turns, (cost + share.cost, place, queue))
    return batch


async def add_deliveries(db: AsyncSession, shares: Iterable[Share], now: datetime) -> None:
    """Adds the deliveries of events to their webhooks, in one statement.

    One that is there already is left alone: it must not be sent twice.
    """
    told = [share for share in shares if share.webhooks]
    if not told:
        return
    pairs = [
        (place, webhook.id) for place, share in enumerate(told, 1) for webhook in share.webhooks
    ]
    new = {
        "now": now,
        "organizations": [share.event.organization_id for share in told],
        "events": [share.event.id for share in told],
        "types": [share.event.type for share in told],
        "ids": [new_id() for _ in pairs],
        "places": [place for place, _ in pairs],
        "webhooks": [webhook_id for _, webhook_id in pairs],
    }
    await db.execute(_ADD, new)


def due_webhook(webhook: Webhook) -> DueWebhook:
    """A webhook as the workers take turns with it."""
    return DueWebhook(webhook.id, webhook.organization_id, webhook.slow_since is not None)


_ADD = text("""
    insert into deliveries (id, webhook_id, organization_id, event_id, event_type,
                            status, attempt_count, schedule_position, next_attempt_at)
    select new.id, new.webhook_id, told.organization_id, told.event_id, told.event_type,
           'pending', 0, 0, :now
    from unnest(cast(:ids as uuid[]), cast(:places as bigint[]), cast(:webhooks as uuid[]))
         as new(id, place, webhook_id)
    join unnest(cast(:organizations as uuid[]), cast(:events as uuid[]), cast(:types as text[]))
         with ordinality as told(organization_id, event_id, event_type, place) using (place)
    on conflict do nothing
""")

# One probe for each organization that has pending events, however many those are; then
# the oldest of each, from the organization on that comes after the last one. For one that
# another worker holds there is a row of nulls.
_PENDING = text("""
    with recursive queues(organization_id) as (
        (select organization_id from events where fanned_out_at is null
         order by organization_id limit 1)
        union all
        select (select organization_id from events
                where fanned_out_at is null and organization_id > queues.organization_id
                order by organization_id limit 1)
        from queues where queues.organization_id is not null
    ),
    turns as materialized (
        select organization_id from queues where organization_id is not null
        order by organization_id <= :after, organization_id limit :organizations
    ),
    held as materialized (
        select organization_id,
               pg_try_advisory_xact_lock(hashtextextended(organization_id::text, :seed)) as held
        from turns
    )
    select pending.* from held left join lateral (
        select * from events
        where held.held and events.organization_id = held.organization_id
          and fanned_out_at is null
        order by created_at
        limit greatest(2, :limit / (select count(*) from turns))
        for update skip locked
    ) pending on true
    order by held.organization_id <= :after, held.organization_id, pending.created_at
""")


async def _claim_pending(db: AsyncSession, limit: int, after: UUID) -> Sequence[Event | None]:
    """The next events, and None for each organization that another worker is at."""
    query = select(Event).from_statement(_PENDING)
    shares = {
        "limit": limit,
        "after": after,
        "organizations": min(limit, MAX_ORGANIZATIONS),
        "seed": LOCK_SEED,
    }
    return (await db.scalars(query, shares)).all()


# The events are given in their order. Nobody else is at these organizations; a number is
# seen when all before it are.
_NUMBER = text("""
    with asked as (
        select id, organization_id,
               row_number() over (partition by organization_id order by place) as number
        from unnest(cast(:ids as uuid[]), cast(:organizations as uuid[])) with ordinality
             as asked(id, organization_id, place)
    ),
    taken as (
        insert into event_sequences (organization_id, last)
        select organization_id, count(*) from asked group by organization_id
        order by organization_id
        on conflict (organization_id) do update set last = event_sequences.last + excluded.last
        returning organization_id, last
    ),
    counts as (select organization_id, count(*) as count from asked group by organization_id)
    update events set fanned_out_at = :now,
        sequence = taken.last - counts.count + asked.number
    from asked join taken using (organization_id) join counts using (organization_id)
    where events.id = asked.id
""")


async def _number(db: AsyncSession, events: Sequence[Event], now: datetime) -> None:
    """Gives events their places in their organizations, and marks them as fanned out."""
    numbered = {
        "ids": [event.id for event in events],
        "organizations": [event.organization_id for event in events],
        "now": now,
    }
    await db.execute(_NUMBER, numbered)


async def _enabled_webhooks(
    db: AsyncSession, organizations: Iterable[UUID]
) -> Mapping[UUID, Sequence[Webhook]]:
    """The webhooks that may want something, by organization.

    Locked, so that none is deleted under its deliveries, nor falls behind or
    catches up between this look and the commit; all other changes go on.
    """
    query = (
        select(Webhook)
        .where(Webhook.organization_id.in_(organizations), Webhook.enabled)
        .order_by(Webhook.id)
        .with_for_update(read=True, key_share=True)
    )
    found: defaultdict[UUID, list[Webhook]] = defaultdict(list)
    for webhook in await db.scalars(query):
        found[webhook.organization_id].append(webhook)
    return found
