"""How a replay is worked off: in steps, each of them one transaction of one worker.

A step counts the deliveries that have ended since the last one, and starts as many as it
may. What it starts, what it counts and how far it has come is committed together: a worker
that dies leaves the replay as it was before the step. Live events come first: a replay has
few deliveries under way, and starts none while a live one waits for its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession

from server.common.event_names import ALIASES
from server.common.records import Event, record_by_worker
from server.common.times import KEPT
from server.features.webhooks.backlog import subscribed
from server.features.webhooks.delivery_queue import DueWebhook
from server.features.webhooks.fanout import (
    LOCK_SEED,
    Share,
    add_deliveries,
    add_deliveries_in_order,
    due_webhook,
)
from server.features.webhooks.filtering import filters_of, passing
from server.features.webhooks.filters import Filter
from server.features.webhooks.models import FAILED, PENDING, Delivery, Webhook
from server.features.webhooks.replays import messages
from server.features.webhooks.replays.models import (
    EXPIRED,
    FAILED_EVENTS,
    LIFETIME,
    MISSING_EVENTS,
    Replay,
    ReplayedDelivery,
)
from server.features.webhooks.replays.models import PENDING as NOT_STARTED
from server.features.webhooks.replays.repository import Ended, active, count_ended

COMPLETED_EVENT = "replay.completed"

# Deliveries of a replay that wait for their first attempt, at the most; half of what one
# worker sends to one webhook at once.
WINDOW = 20
# The same while the receiver fails or is slow.
CAREFUL_WINDOW = 2
# Deliveries under way, with those that wait for another attempt.
MAX_UNDER_WAY = 100
# Events that are examined in one step.
EXAMINED = 2000
# How often a step looks for more if what it has found is not to be sent.
PASSES = 20

PAUSE = timedelta(milliseconds=200)
# Until the next look at a webhook that is disabled or behind, or a receiver that fails.
LONG_PAUSE = timedelta(seconds=5)
# Events are numbered in the order of their commits, which is not that of their times; a
# transaction does not take as long as this.
MARGIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Turn:
    """A replay whose next step is due."""

    replay_id: UUID
    webhook_id: UUID


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event that may have to be sent, and its delivery to the webhook, if there is one."""

    event: Event
    delivery_id: UUID | None


async def find_due(db: AsyncSession, now: datetime, limit: int) -> Sequence[Turn]:
    """The replays that have waited the longest for their next step."""
    query = (
        select(Replay.id, Replay.webhook_id)
        .where(active(), Replay.next_step_at <= now)
        .order_by(Replay.next_step_at)
        .limit(limit)
    )
    return [Turn(*row) for row in await db.execute(query)]


async def next_due(db: AsyncSession) -> datetime | None:
    """When the next step is due; None if no replay is active."""
    return await db.scalar(select(func.min(Replay.next_step_at)).where(active()))


async def take_step(db: AsyncSession, turn: Turn, now: datetime) -> DueWebhook | None:
    """Goes on with a replay, unless somebody else is at it. Whoever calls commits.

    Returns:
        The webhook, if it has something to be sent.
    """
    held = await _hold(db, turn, now)
    if held is None:
        return None
    webhook, replay = held
    await _count(db, replay)
    if replay.state == NOT_STARTED:
        await _begin(db, replay)
    started = 0
    if now >= replay.created_at + LIFETIME:
        await _end_early(db, replay, now)
    elif not webhook.enabled or webhook.behind_since is not None:
        replay.next_step_at = now + LONG_PAUSE
    else:
        started = await _go_on(db, replay, webhook, now)
    return due_webhook(webhook) if started else None


async def postpone(db: AsyncSession, turn: Turn, now: datetime) -> None:
    """After a step that failed: others have their turns first."""
    replay = await db.get(Replay, turn.replay_id, with_for_update={"skip_locked": True})
    if replay is not None:
        replay.next_step_at = now + LONG_PAUSE


async def _hold(db: AsyncSession, turn: Turn, now: datetime) -> tuple[Webhook, Replay] | None:
    """Locks the webhook, then the replay: a deletion takes them in this order, too.

    While the webhook is held, nobody else makes deliveries of past events for it.
    """
    webhook = await db.scalar(
        select(Webhook)
        .where(Webhook.id == turn.webhook_id)
        .with_for_update(key_share=True, skip_locked=True)
    )
    if webhook is None:
        return None
    replay = await db.scalar(
        select(Replay)
        .where(Replay.id == turn.replay_id, active(), Replay.next_step_at <= now)
        .with_for_update(skip_locked=True)
    )
    return None if replay is None else (webhook, replay)


async def _begin(db: AsyncSession, replay: Replay) -> None:
    """Finds the numbers of the first event and the last.

    Nobody numbers events of the organization meanwhile: what gets its number later finds
    the webhook as it is now, and is sent to it anyway.
    """
    organization_id = replay.organization_id
    lock = func.hashtextextended(str(organization_id), LOCK_SEED)
    await db.execute(select(func.pg_advisory_xact_lock(lock)))
    numbered = Event.organization_id == organization_id, Event.sequence.is_not(None)
    between = Event.created_at >= replay.since, Event.created_at < replay.until
    ends = select(func.min(Event.created_at), func.max(Event.created_at)).where(*numbered, *between)
    earliest, latest = (await db.execute(ends)).one()
    first = last = None
    if earliest is not None:
        near = Event.created_at >= replay.since, Event.created_at <= earliest + MARGIN
        first = await db.scalar(_of_numbers(func.min, *numbered, *near))
        near = Event.created_at >= latest - MARGIN, Event.created_at < replay.until
        last = await db.scalar(_of_numbers(func.max, *numbered, *near))
    replay.begin(first or 1, last or 0)


def _of_numbers(which: Callable[..., Any], *events: ColumnElement[bool]) -> Select[int]:
    """The first or the last number among events that were created at about the same time.

    Found by their times: without the offset, which keeps it apart, PostgreSQL could walk
    along the numbers from the first event that is kept.
    """
    numbers = select(Event.sequence).where(*events).offset(0).subquery()
    return select(which(numbers.c.sequence))


async def _go_on(db: AsyncSession, replay: Replay, webhook: Webhook, now: datetime) -> int:
    """Starts as many deliveries as may be now.

    Returns:
        How many these are.
    """
    under_way, untried = await _under_way(db, replay)
    careful = webhook.failing_since is not None or webhook.slow_since is not None
    window = CAREFUL_WINDOW if careful else WINDOW
    free = max(0, min(window - untried, MAX_UNDER_WAY - under_way))
    live_waits = free > 0 and await _live_waits(db, replay, now)
    room = 0 if live_waits else min(free, replay.allowance(now))
    started = await _start_next(db, replay, webhook, room, now) if room else 0
    if replay.examined_all and not under_way + started:
        await _succeed(db, replay, webhook, now)
    elif room and not started and not replay.examined_all:
        # Nothing of what was examined is to be sent: there is no reason to wait.
        replay.next_step_at = now
    elif untried or started or live_waits or (not replay.examined_all and free):
        replay.next_step_at = max(now + PAUSE, replay.allowed_at)
    else:
        # All that is under way waits for another attempt.
        replay.next_step_at = now + LONG_PAUSE
    return started


async def _start_next(
    db: AsyncSession, replay: Replay, webhook: Webhook, room: int, now: datetime
) -> int:
    """Starts the deliveries of the next events, and moves on to the last that was examined."""
    started = 0
    end = min(replay.position + EXAMINED, replay.last)
    filters = filters_of([webhook])
    for _ in range(PASSES):
        limit = room - started
        if replay.position >= end or not limit:
            break
        rows = await db.execute(_candidates(replay, webhook, end, limit, now))
        found = [Candidate(event, delivery_id) for event, delivery_id in rows]
        replay.position = end if len(found) < limit else found[-1].event.sequence or end
        wanted = [one for one in found if _is_wanted(one.event, webhook, filters)]
        started += await _start(db, replay, webhook, wanted, now)
    replay.use(started, now)
    return started


def _is_wanted(event: Event, webhook: Webhook, filters: Mapping[UUID, Filter]) -> bool:
    """Whether an event that was found is to be sent: what cannot be asked in SQL."""
    return webhook.wants(event) and bool(passing([webhook], event, filters))


def _candidates(
    replay: Replay, webhook: Webhook, end: int, limit: int, now: datetime
) -> Select[Event, UUID]:
    """The next events that may have to be sent, in their order, each with its delivery.

    An event of 30 days has lost its delivery, or will soon: nobody can tell any more whether
    it was delivered.
    """
    names = [ALIASES.get(name, name) for name in replay.event_types]
    of_type = [Event.type.in_(names)] if names else []
    # For each event by its key: as a plain join it could begin with all that ever failed.
    delivery = (
        select(Delivery.id, Delivery.status)
        .where(Delivery.webhook_id == webhook.id, Delivery.event_id == Event.id)
        .offset(0)
        .lateral()
    )
    return (
        select(Event, delivery.c.id)
        .outerjoin(delivery, true())
        .where(
            Event.organization_id == replay.organization_id,
            Event.sequence > replay.position,
            Event.sequence <= end,
            Event.created_at >= max(replay.since, now - KEPT),
            Event.created_at < replay.until,
            subscribed(webhook),
            *of_type,
            _has_status(replay.status, delivery.c.status),
        )
        .order_by(Event.sequence)
        .limit(limit)
    )


def _has_status(wanted: str, status: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether an event is to be sent, by the status of its delivery; null if it has none."""
    if wanted == FAILED_EVENTS:
        return status == FAILED
    if wanted == MISSING_EVENTS:
        return status.is_(None)
    return status.is_distinct_from(PENDING)


async def _start(
    db: AsyncSession,
    replay: Replay,
    webhook: Webhook,
    found: Sequence[Candidate],
    now: datetime,
) -> int:
    """Has events sent: with the delivery that is there, or a new one."""
    new = [one.event for one in found if one.delivery_id is None]
    again = [one.delivery_id for one in found if one.delivery_id is not None]
    started = [*await _add(db, webhook, new, now), *await _redeliver(db, again, now)]
    db.add_all(ReplayedDelivery(replay_id=replay.id, delivery_id=one) for one in started)
    await db.flush()
    return len(started)


async def _add(
    db: AsyncSession, webhook: Webhook, events: Sequence[Event], now: datetime
) -> Sequence[UUID]:
    """Adds deliveries; nobody else does while the webhook is held, so that all are new."""
    if not events:
        return []
    shares = [Share(event, [webhook]) for event in events]
    await add_deliveries(db, shares, now)
    await add_deliveries_in_order(db, shares, now)
    added = select(Delivery.id).where(
        Delivery.webhook_id == webhook.id, Delivery.event_id.in_([event.id for event in events])
    )
    return (await db.scalars(added)).all()


async def _redeliver(
    db: AsyncSession, delivery_ids: Sequence[UUID], now: datetime
) -> Sequence[UUID]:
    """Sends deliveries again. One that somebody holds is being sent again, or deleted."""
    if not delivery_ids:
        return []
    query = (
        select(Delivery)
        .where(Delivery.id.in_(delivery_ids), Delivery.status != PENDING)
        .order_by(Delivery.id)
        .with_for_update(key_share=True, skip_locked=True)
    )
    deliveries = (await db.scalars(query)).all()
    for delivery in deliveries:
        delivery.redeliver(now)
    return [delivery.id for delivery in deliveries]


async def _under_way(db: AsyncSession, replay: Replay) -> tuple[int, int]:
    """How many deliveries of a replay are pending, and how many of these were not tried."""
    untried = func.count().filter(Delivery.schedule_position == 0)
    query = (
        select(func.count(), untried)
        .select_from(ReplayedDelivery)
        .join(Delivery, Delivery.id == ReplayedDelivery.delivery_id)
        .where(ReplayedDelivery.replay_id == replay.id)
    )
    under_way, waiting = (await db.execute(query)).one()
    return under_way, waiting


# Those of the replay, which it passes over, are few.
_LIVE_WAITS = text("""
    select exists (
        select from deliveries
        where webhook_id = :webhook_id and next_attempt_at <= :now
          and (claimed_until is null or claimed_until <= :now)
          and not exists (
              select from replayed_deliveries replayed
              where replayed.replay_id = :replay_id and replayed.delivery_id = deliveries.id
          )
    )
""")


async def _live_waits(db: AsyncSession, replay: Replay, now: datetime) -> bool:
    """Whether a delivery that is none of the replay's is due, and nobody has taken it up."""
    asked = {"webhook_id": replay.webhook_id, "replay_id": replay.id, "now": now}
    return bool(await db.scalar(_LIVE_WAITS, asked))


async def _count(db: AsyncSession, replay: Replay) -> None:
    """Counts the deliveries that have ended since the last step."""
    ended = await count_ended(db, replay.id, forget=True)
    replay.done += ended.done
    replay.failed += ended.failed


async def _succeed(db: AsyncSession, replay: Replay, webhook: Webhook, now: datetime) -> None:
    replay.succeed(now)
    if replay.covers_what_was_missed(webhook):
        webhook.missed_since = webhook.missed_until = None
    await _record(db, replay, now)


async def _end_early(db: AsyncSession, replay: Replay, now: datetime) -> None:
    replay.fail(EXPIRED, now)
    await _record(db, replay, now)


async def _record(db: AsyncSession, replay: Replay, now: datetime) -> None:
    await db.flush()
    record_by_worker(
        db,
        COMPLETED_EVENT,
        organization_id=replay.organization_id,
        target_id=replay.id,
        data=messages.replay(replay, Ended()),
        now=now,
    )
