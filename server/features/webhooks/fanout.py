"""From an event to its deliveries: what the workers ask about events that are not yet told."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import heappop, heappush
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import load_only

from portico_kit.ids import new_id
from portico_kit.storage.statements import Written, compiled, run_in, write_in
from server.common.records import Event
from server.features.webhooks.delivery_queue import (
    CLAIM_COLUMNS,
    LEASE,
    Claim,
    DueWebhook,
    claims_of,
)
from server.features.webhooks.filtering import filters_of, passing
from server.features.webhooks.filters import Filter
from server.features.webhooks.models import Webhook
from server.features.webhooks.ordering import OrderedDelivery, add_ordered_deliveries

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
        blocked: new deliveries that wait for others.
        claims: deliveries that were made as claimed; they are in no need of a turn.
        last: the organization after which the next batch goes on.
        more: whether there may be more events.
        waits: whether all of them are of organizations that other workers are at.
        numbered: the organizations that have further events in their order now.
    """

    count: int = 0
    due: Sequence[DueWebhook] = ()
    blocked: Sequence[UUID] = ()
    claims: Sequence[Claim] = ()
    last: UUID = BEGINNING
    more: bool = False
    waits: bool = False
    numbered: Collection[UUID] = ()


class Part(NamedTuple):
    """What deliveries of an event have in common: mostly all of them are alike."""

    event_id: UUID
    organization_id: UUID
    event_type: str


@dataclass(frozen=True, slots=True)
class Share:
    """An event, and the webhooks that take it now.

    Attributes:
        at_once: those of them whose delivery is made as claimed, to be sent at once.
    """

    event: Event
    webhooks: Sequence[Webhook]
    at_once: AbstractSet[Webhook] = frozenset()

    @property
    def cost(self) -> int:
        """What it takes of a transaction; marking an event that nobody wants is a row, too."""
        return max(1, len(self.webhooks))

    def parts(self) -> Mapping[Part, Sequence[Webhook]]:
        """The webhooks without an order, by what their deliveries have in common."""
        found: defaultdict[Part, list[Webhook]] = defaultdict(list)
        for webhook in self.webhooks:
            if not webhook.ordered:
                name = webhook.type_for(self.event) or self.event.type
                found[Part(self.event.id, webhook.organization_id, name)].append(webhook)
        return found


# Takes a slot for a delivery that is sent at once, if there is one.
TakeSlot = Callable[[DueWebhook], bool]


async def fan_out(
    db: AsyncSession,
    now: datetime,
    limit: int,
    after: UUID = BEGINNING,
    take_slot: TakeSlot | None = None,
) -> FannedOut:
    """Numbers events and makes their deliveries; organizations take turns.

    An organization that another worker is at is left out, so that its events get their
    numbers in the order of their times. Whoever calls commits: the deliveries and the
    number of the event must come to be together.

    Args:
        limit: how many events at the most.
        after: the organization that had the last turn.
        take_slot: takes a slot for a delivery to a webhook. Those that get one are made as
            claimed, and whoever calls sends them once they are committed.
    """
    found = await _claim_pending(db, limit, after)
    events = [event for event in found if event is not None]
    if not events:
        return FannedOut(last=after, more=bool(found), waits=bool(found))
    webhooks = await _enabled_webhooks(db, {event.organization_id for event in events})
    filters = filters_of(each for of_one in webhooks.values() for each in of_one)
    batch = _fair_batch(
        Share(event, _takers(event, _subscribers(webhooks, event), filters)) for event in events
    )
    shares, due = _take_slots(batch, take_slot)
    claims = await add_deliveries(db, shares, now)
    await _number(db, [share.event for share in batch], now)
    blocked = await add_deliveries_in_order(db, batch, now)
    # A share of the claim is two events or more: a single one was the last of its organization.
    last = batch[-1].event.organization_id
    numbered = {share.event.organization_id for share in batch}
    return FannedOut(
        *(len(batch), due, blocked, claims, last), more=len(found) > 1, numbered=numbered
    )


def _takers(
    event: Event, webhooks: Sequence[Webhook], filters: Mapping[UUID, Filter]
) -> Sequence[Webhook]:
    """The webhooks that get a delivery of an event now."""
    return passing([each for each in webhooks if each.takes(event)], event, filters)


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


def goes_at_once(webhook: Webhook) -> bool:
    """Whether deliveries to a webhook may be made as claimed.

    For a webhook about which anything is unusual, `claim_due` says what may be sent.
    """
    return (
        webhook.failing_since is None
        and webhook.slow_since is None
        and webhook.timeout_seconds is None
        and not webhook.paced
    )


def _take_slots(
    batch: Sequence[Share], take_slot: TakeSlot | None
) -> tuple[Sequence[Share], list[DueWebhook]]:
    """Says which deliveries are made as claimed, and which webhooks have others."""
    webhooks = {webhook for share in batch for webhook in share.webhooks}
    due = {webhook: due_webhook(webhook) for webhook in webhooks}
    if take_slot is None:
        return batch, list(due.values())
    # Of a webhook that has got none, nothing later goes before what is earlier.
    waiting = {webhook for webhook in webhooks if not goes_at_once(webhook)}
    shares = []
    for share in batch:
        at_once = set()
        for webhook in share.webhooks:
            if webhook not in waiting and take_slot(due[webhook]):
                at_once.add(webhook)
            else:
                waiting.add(webhook)
        shares.append(replace(share, at_once=at_once))
    return shares, [due[webhook] for webhook in waiting]


async def add_deliveries(db: AsyncSession, shares: Iterable[Share], now: datetime) -> list[Claim]:
    """Adds the deliveries of events to their webhooks without an order, in one statement.

    One that is there already is left alone: it must not be sent twice.

    Returns:
        Those that were made as claimed.
    """
    told = [(share, *part) for share in shares for part in share.parts().items()]
    pairs = [
        (place, webhook.id, webhook in share.at_once)
        for place, (share, _, webhooks) in enumerate(told, 1)
        for webhook in webhooks
    ]
    if not pairs:
        return []
    until = now + LEASE
    new = {
        "now": now,
        "organizations": [part.organization_id for _, part, _ in told],
        "events": [part.event_id for _, part, _ in told],
        "types": [part.event_type for _, part, _ in told],
        "ids": [new_id() for _ in pairs],
        "places": [place for place, _, _ in pairs],
        "webhooks": [webhook_id for _, webhook_id, _ in pairs],
        "claimed": [until if at_once else None for _, _, at_once in pairs],
    }
    return claims_of(await run_in(db, _ADD, **new), until)


async def add_deliveries_in_order(
    db: AsyncSession, shares: Iterable[Share], now: datetime
) -> Sequence[UUID]:
    """Adds the deliveries to ordered webhooks, once the events have their numbers.

    Returns:
        Those that wait for others; see `add_ordered_deliveries`.
    """
    pairs = [
        OrderedDelivery(
            share.event.id, webhook.id, webhook.type_for(share.event) or share.event.type
        )
        for share in shares
        for webhook in share.webhooks
        if webhook.ordered
    ]
    return await add_ordered_deliveries(db, pairs, now)


def due_webhook(webhook: Webhook) -> DueWebhook:
    """A webhook as the workers take turns with it."""
    slow = webhook.slow_since is not None
    return DueWebhook(webhook.id, webhook.organization_id, slow, webhook.limited)


_ADD = compiled(
    text(f"""
    with added as (
        insert into deliveries (id, webhook_id, organization_id, event_id, event_type, status,
                                attempt_count, schedule_position, next_attempt_at, claimed_until)
        select new.id, new.webhook_id, told.organization_id, told.event_id, told.event_type,
               'pending', 0, 0, :now, new.claimed_until
        from unnest(cast(:ids as uuid[]), cast(:places as bigint[]), cast(:webhooks as uuid[]),
                    cast(:claimed as timestamptz[]))
             as new(id, place, webhook_id, claimed_until)
        join unnest(cast(:organizations as uuid[]), cast(:events as uuid[]), cast(:types as text[]))
             with ordinality as told(organization_id, event_id, event_type, place) using (place)
        on conflict do nothing
        returning *
    )
    select {CLAIM_COLUMNS}
    from added as deliveries join webhooks on webhooks.id = deliveries.webhook_id
    left join events on events.id = deliveries.event_id
    where deliveries.claimed_until is not null
"""),  # noqa: S608 - of constants
    binary=True,
)

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
_NUMBER = compiled(
    text("""
    with asked as (
        select id, organization_id,
               row_number() over (partition by organization_id order by place) as number
        from unnest(cast(:ids as uuid[]), cast(:organizations as uuid[])) with ordinality
             as asked(id, organization_id, place)
    ),
    taken as (
        insert into event_sequences (organization_id, last, changed_in)
        select organization_id, count(*), pg_current_xact_id()::text::bigint
        from asked group by organization_id
        order by organization_id
        on conflict (organization_id) do update set
            last = event_sequences.last + excluded.last, changed_in = excluded.changed_in
        returning organization_id, last
    ),
    counts as (select organization_id, count(*) as count from asked group by organization_id)
    update events set fanned_out_at = :now,
        sequence = taken.last - counts.count + asked.number
    from asked join taken using (organization_id) join counts using (organization_id)
    where events.id = asked.id
"""),
    binary=True,
)


async def _number(db: AsyncSession, events: Sequence[Event], now: datetime) -> None:
    """Gives events their places in their organizations, and marks them as fanned out."""
    numbered = {
        "ids": [event.id for event in events],
        "organizations": [event.organization_id for event in events],
        "now": now,
    }
    await write_in(db, [Written(_NUMBER, numbered)])


# What the fan-out looks at; the rest of a webhook, sealed secrets too, is not read for it.
_LOOKED_AT = (
    Webhook.organization_id,
    Webhook.enabled,
    Webhook.event_types,
    Webhook.behind_since,
    Webhook.slow_since,
    Webhook.timeout_seconds,
    Webhook.failing_since,
    Webhook.max_per_second,
    Webhook.max_in_flight,
    Webhook.ordering,
    Webhook.order_by,
    Webhook.version,
    Webhook.filter,
    Webhook.all_organizations,
)


def _subscribers(webhooks: Mapping[UUID | None, Sequence[Webhook]], event: Event) -> list[Webhook]:
    """The webhooks that may want an event."""
    return [*webhooks.get(event.organization_id, ()), *webhooks.get(None, ())]


async def _enabled_webhooks(
    db: AsyncSession, organizations: Iterable[UUID]
) -> Mapping[UUID | None, Sequence[Webhook]]:
    """The webhooks that may want something, by organization; by None those for all of them.

    Locked, so that none is deleted under its deliveries, nor falls behind or
    catches up between this look and the commit; all other changes go on.
    """
    query = (
        select(Webhook)
        .where(
            or_(Webhook.organization_id.in_(organizations), Webhook.all_organizations),
            Webhook.enabled,
        )
        .order_by(Webhook.id)
        .options(load_only(*_LOOKED_AT))
        .with_for_update(read=True, key_share=True)
    )
    found: defaultdict[UUID | None, list[Webhook]] = defaultdict(list)
    for webhook in await db.scalars(query):
        found[None if webhook.all_organizations else webhook.organization_id].append(webhook)
    return found
