"""Promises about replays: each event once, in steps that may break off, after what is live."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from sqlalchemy import func, select, update

from portico_kit.ids import new_id
from portico_kit.testing.clocks import OffsetClock
from portico_kit.testing.waiting import eventually
from server.common.records import AuditEntry, Event
from server.common.times import KEPT
from server.features.webhooks.cleanup import delete_replays
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery_queue import DueWebhook
from server.features.webhooks.models import Delivery, Webhook
from server.features.webhooks.names import DELIVERY_TASK, REPLAY_TASK
from server.features.webhooks.replays.models import LIFETIME, Replay
from server.features.webhooks.replays.replayer import Replayer
from server.features.webhooks.replays.steps import (
    CAREFUL_WINDOW,
    MAX_UNDER_WAY,
    WINDOW,
    Turn,
    take_step,
)
from tests.workers.conftest import NewDeliverer
from tests.workers.harness import (
    Handler,
    Receiver,
    Subscription,
    Tenants,
    accept,
    receiving,
)
from tests.workers.processes import Platform

FAST = 100_000


class Replays:
    """The replays of the tests, put where the core puts them."""

    def __init__(self, tenants: Tenants, clock: OffsetClock) -> None:
        self.tenants = tenants
        self.clock = clock

    async def start(self, webhook: Subscription, status: str, **fields: Any) -> UUID:
        """A new replay of the last hour, as fast as it goes."""
        now = self.clock()
        async with self.tenants.sessions.begin() as db:
            row = await db.get_one(Webhook, webhook.id)
            values: dict[str, Any] = {
                "event_types": [],
                "since": now - timedelta(hours=1),
                "until": now,
                "max_per_second": FAST,
                "next_step_at": now,
                "paced_until": now - timedelta(seconds=1),
                "created_at": now,
                **fields,
            }
            replay = Replay(
                id=new_id(),
                webhook_id=row.id,
                organization_id=row.organization_id,
                status=status,
                **values,
            )
            db.add(replay)
        return replay.id

    async def get(self, replay_id: UUID) -> Replay:
        """A replay as it is now."""
        async with self.tenants.sessions() as db:
            return await db.get_one(Replay, replay_id)

    async def step(self, replay_id: UUID) -> DueWebhook | None:
        """One step, however soon it is."""
        async with self.tenants.sessions.begin() as db:
            await db.execute(
                update(Replay).where(Replay.id == replay_id).values(next_step_at=self.clock())
            )
        replay = await self.get(replay_id)
        async with self.tenants.sessions.begin() as db:
            return await take_step(db, Turn(replay.id, replay.webhook_id), self.clock())

    async def run(self, replay_id: UUID, deliverer: Deliverer, at_most: int = 50) -> Replay:
        """Steps until it has ended, all that is due being sent in between."""
        for _ in range(at_most):
            due = await self.step(replay_id)
            if not (replay := await self.get(replay_id)).active:
                return replay
            if due is not None:
                await deliverer.deliver([due])
                await deliverer.settle()
        raise AssertionError(f"it does not end: {replay.position} of {replay.last}")


@pytest.fixture
def replays(tenants: Tenants, clock: OffsetClock) -> Replays:
    """The replays of the platform under test."""
    return Replays(tenants, clock)


async def numbered(tenants: Tenants, organization_id: UUID) -> Sequence[UUID]:
    """An organization's events in their order."""
    query = (
        select(Event.id)
        .where(Event.organization_id == organization_id, Event.sequence.is_not(None))
        .order_by(Event.sequence)
    )
    async with tenants.sessions() as db:
        return (await db.scalars(query)).all()


def received(receiver: Receiver) -> list[UUID]:
    """The events that a receiver got, in this order."""
    return [UUID(json.loads(request.body)["id"]) for request in receiver.requests]


async def missed(tenants: Tenants, receiver: Receiver, count: int) -> Subscription:
    """A webhook that was disabled while so many events happened; they have their numbers."""
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url, enabled=False)
    await tenants.events(organization, count)
    return webhook


async def enabled(tenants: Tenants, webhook: Subscription, fan_out_events: EventFanOut) -> None:
    """The webhook is enabled, after what happened was fanned out."""
    await fan_out_events()
    await tenants.change(webhook, enabled=True)


async def failed(tenants: Tenants, webhook: Subscription, *event_ids: UUID) -> None:
    """What giving up leaves."""
    async with tenants.sessions.begin() as db:
        await db.execute(
            update(Delivery)
            .where(Delivery.webhook_id == webhook.id, Delivery.event_id.in_(event_ids))
            .values(status="failed", next_attempt_at=None, delivered_at=None)
        )


async def test_what_failed_is_sent_again_with_its_id_and_nothing_else(
    tenants: Tenants,
    receiver: Receiver,
    replays: Replays,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    await tenants.events(organization, 30)
    await fan_out_events()
    await deliverer.settle()
    events = await numbered(tenants, organization)
    ids = {each.event_id: str(each.id) for each in await tenants.deliveries(webhook)}
    await failed(tenants, webhook, *events[::10])
    receiver.requests.clear()
    replay = await replays.run(await replays.start(webhook, "failed"), deliverer)
    assert (replay.state, replay.found, replay.done, replay.failed) == ("succeeded", 3, 3, 0)
    assert sorted(received(receiver)) == sorted(events[::10])
    assert {one.webhook_id for one in receiver.requests} == {ids[each] for each in events[::10]}
    assert len(await tenants.deliveries(webhook)) == 30


async def test_what_never_became_a_delivery_is_sent_once(
    tenants: Tenants,
    receiver: Receiver,
    replays: Replays,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    organization = await tenants.organization()
    before = [await tenants.event(organization) for _ in range(2)]
    await fan_out_events()
    webhook = await tenants.webhook(organization, receiver.url, "key.created")
    await tenants.event(organization, "key.created")
    elsewhere = await tenants.event(organization, "key.revoked")
    await fan_out_events()
    await tenants.change(webhook, enabled=False)
    silent = await tenants.event(organization, "key.created")
    await fan_out_events()
    await tenants.change(webhook, enabled=True, event_types=["key.created", "key.revoked"])
    await deliverer.deliver_due()
    await deliverer.settle()
    receiver.requests.clear()
    replay = await replays.run(await replays.start(webhook, "missing"), deliverer)
    assert (replay.found, replay.done) == (4, 4)
    assert sorted(received(receiver)) == sorted([*before, elsewhere, silent])
    # Once more: there is nothing left.
    again = await replays.run(await replays.start(webhook, "missing"), deliverer)
    assert (again.state, again.found, len(await tenants.deliveries(webhook))) == ("succeeded", 0, 5)


async def test_all_sends_what_was_delivered_too_and_adds_no_second_delivery(
    tenants: Tenants,
    receiver: Receiver,
    replays: Replays,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    organization = await tenants.organization()
    await tenants.events(organization, 3)
    await fan_out_events()
    webhook = await tenants.webhook(organization, receiver.url)
    await tenants.events(organization, 3)
    await fan_out_events()
    await deliverer.settle()
    receiver.requests.clear()
    replay = await replays.run(await replays.start(webhook, "all"), deliverer)
    assert (replay.found, replay.done) == (6, 6)
    events = await numbered(tenants, organization)
    assert sorted(received(receiver)) == sorted(events)
    deliveries = await tenants.deliveries(webhook)
    assert Counter(each.event_id for each in deliveries) == Counter(events)


async def test_types_and_times_narrow_it(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    replays: Replays,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    organization = await tenants.organization()
    made = {
        hours: [await tenants.event(organization, one) for one in ("key.created", "key.revoked")]
        for hours in (9, 6, 3)
    }
    async with tenants.sessions.begin() as db:
        for hours, events in made.items():
            then = clock() - timedelta(hours=hours)
            await db.execute(update(Event).where(Event.id.in_(events)).values(created_at=then))
    await fan_out_events()
    webhook = await tenants.webhook(organization, receiver.url)
    interval = {"since": clock() - timedelta(hours=7), "until": clock() - timedelta(hours=4)}
    replay_id = await replays.start(webhook, "missing", event_types=["key.revoked"], **interval)
    await replays.run(replay_id, deliverer)
    assert received(receiver) == made[6][1:]


async def test_a_replay_keeps_to_the_order_of_the_events(
    tenants: Tenants,
    receiver: Receiver,
    replays: Replays,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    webhook = await missed(tenants, receiver, 3 * WINDOW)
    await enabled(tenants, webhook, fan_out_events)
    replay = await replays.run(await replays.start(webhook, "missing"), deliverer)
    events = await numbered(tenants, replay.organization_id)
    got = received(receiver)
    for place in range(0, 3 * WINDOW, WINDOW):
        assert set(got[place : place + WINDOW]) == set(events[place : place + WINDOW])


async def test_several_workers_and_steps_that_break_off_send_each_event_once(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    replays: Replays,
    new_deliverer: NewDeliverer,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 90)
    await enabled(tenants, webhook, fan_out_events)
    replay_id = await replays.start(webhook, "missing")
    for _ in range(3):
        async with tenants.sessions() as db:
            assert await take_step(db, Turn(replay_id, webhook.id), clock()) is not None
            await db.rollback()
    deliverers = [await new_deliverer() for _ in range(3)]
    workers = [Replayer(tenants.sessions, clock, each.deliver) for each in deliverers]
    for worker in workers:
        await worker()
    await asyncio.gather(*(worker.settle() for worker in workers))
    replay = await replays.get(replay_id)
    assert (replay.state, replay.found, replay.done) == ("succeeded", 90, 90)
    assert Counter(received(receiver)) == Counter(await numbered(tenants, replay.organization_id))


async def test_live_events_wait_for_no_more_than_a_window(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    replays: Replays,
    deliverer: Deliverer,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 6 * WINDOW)
    await enabled(tenants, webhook, fan_out_events)
    replayer = Replayer(tenants.sessions, clock, deliverer.deliver)
    replay_id = await replays.start(webhook, "missing")
    organization = (await replays.get(replay_id)).organization_id
    await replayer()
    before = []
    for _ in range(3):
        # Each live event counts the deliveries that arrive between it and its own.
        seen = len(receiver.requests)
        live = await tenants.event(organization)
        await fan_out_events()
        await eventually(lambda live=live: live in received(receiver))  # type: ignore[misc]
        before.append(received(receiver).index(live) - seen)
    await replayer.settle()
    assert max(before) <= WINDOW
    assert (await replays.get(replay_id)).done == 6 * WINDOW


async def test_nothing_is_started_while_a_live_event_waits(
    tenants: Tenants,
    receiver: Receiver,
    replays: Replays,
    deliverer: Deliverer,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 5)
    await enabled(tenants, webhook, fan_out_events)
    replay_id = await replays.start(webhook, "missing")
    organization = (await replays.get(replay_id)).organization_id
    await tenants.event(organization)
    unsent = EventFanOut(tenants.sessions, replays.clock, nobody)
    await unsent()
    assert await replays.step(replay_id) is None
    assert (await replays.get(replay_id)).found == 0
    await deliverer.deliver_due()
    await deliverer.settle()
    assert (await replays.run(replay_id, deliverer)).done == 5
    assert received(receiver)[0] == (await numbered(tenants, organization))[-1]


async def nobody(_due: object) -> None:
    """What is due waits."""


async def test_few_deliveries_are_under_way_at_a_time(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    replays: Replays,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 120)
    await enabled(tenants, webhook, fan_out_events)
    replay_id = await replays.start(webhook, "missing")
    for _ in range(3):
        await replays.step(replay_id)
        assert len(await tenants.deliveries(webhook)) == WINDOW
    # A receiver that fails: there is no reason to hurry.
    await tenants.change(webhook, failing_since=clock())
    await tried(tenants, webhook, clock)
    await replays.step(replay_id)
    assert len(await tenants.deliveries(webhook)) == WINDOW + CAREFUL_WINDOW
    await tenants.change(webhook, failing_since=None)
    for _ in range(6):
        await tried(tenants, webhook, clock)
        await replays.step(replay_id)
    assert len(await tenants.deliveries(webhook)) == MAX_UNDER_WAY
    # Each waits for another attempt; meanwhile nobody looks every moment.
    assert (await replays.get(replay_id)).next_step_at > clock() + timedelta(seconds=1)


async def tried(tenants: Tenants, webhook: Subscription, clock: OffsetClock) -> None:
    """What a first attempt leaves that was not accepted."""
    async with tenants.sessions.begin() as db:
        await db.execute(
            update(Delivery)
            .where(Delivery.webhook_id == webhook.id)
            .values(schedule_position=1, next_attempt_at=clock() + timedelta(minutes=1))
        )


async def test_it_keeps_to_its_rate(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    replays: Replays,
    deliverer: Deliverer,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 20)
    await enabled(tenants, webhook, fan_out_events)
    replay_id = await replays.start(webhook, "missing", max_per_second=5)
    found = []
    for _ in range(4):
        await replays.step(replay_id)
        await deliverer.deliver_due()
        await deliverer.settle()
        found.append((await replays.get(replay_id)).found)
        clock.advance(timedelta(seconds=10) if len(found) == 2 else timedelta(seconds=0.2))
    # What a second allows at once, also after it was away; then one each fifth of a second.
    assert found[0] == 5
    assert 6 <= found[1] <= 8
    assert found[2] == found[1] + 5
    assert found[2] + 1 <= found[3] <= found[2] + 3


async def test_it_waits_while_the_webhook_is_disabled_and_follows_it_to_where_it_moves(
    tenants: Tenants,
    receiver: Receiver,
    replays: Replays,
    deliverer: Deliverer,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 2 * WINDOW)
    await enabled(tenants, webhook, fan_out_events)
    replay_id = await replays.start(webhook, "missing")
    await replays.step(replay_id)
    await tenants.change(webhook, enabled=False)
    for _ in range(3):
        assert await replays.step(replay_id) is None
        await deliverer.deliver_due()
        await deliverer.settle()
    assert (receiver.requests, (await replays.get(replay_id)).state) == ([], "running")
    async with receiving() as moved:
        await tenants.change(webhook, enabled=True, url=moved.url)
        await deliverer.deliver_due()
        await deliverer.settle()
        replay = await replays.run(replay_id, deliverer)
        assert (replay.done, len(moved.requests), len(receiver.requests)) == (40, 40, 0)


async def test_it_waits_until_a_webhook_is_behind_no_more(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    replays: Replays,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 5)
    await enabled(tenants, webhook, fan_out_events)
    await tenants.change(webhook, behind_since=clock())
    replay_id = await replays.start(webhook, "missing")
    assert await replays.step(replay_id) is None
    await tenants.change(webhook, behind_since=None)
    assert await replays.step(replay_id) is not None


async def test_what_the_webhook_subscribes_to_at_its_turn_is_sent(
    tenants: Tenants,
    receiver: Receiver,
    replays: Replays,
    deliverer: Deliverer,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 2 * WINDOW)
    await enabled(tenants, webhook, fan_out_events)
    replay_id = await replays.start(webhook, "missing")
    await replays.step(replay_id)
    await tenants.change(webhook, event_types=["key.revoked"])
    await deliverer.deliver_due()
    await deliverer.settle()
    replay = await replays.run(replay_id, deliverer)
    assert (replay.state, replay.done) == ("succeeded", WINDOW)


async def test_what_is_given_up_again_counts_as_failed(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    replays: Replays,
    deliverer: Deliverer,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 2)
    await enabled(tenants, webhook, fan_out_events)
    replay_id = await replays.start(webhook, "missing")
    receiver.handler = fails_for_one()
    await replays.step(replay_id)
    for _ in range(4):
        await deliverer.deliver_due()
        await deliverer.settle()
        clock.advance(timedelta(minutes=20))
    replay = await replays.run(replay_id, deliverer)
    assert (replay.state, replay.found, replay.done, replay.failed) == ("succeeded", 2, 1, 1)


def fails_for_one() -> Handler:
    """A receiver that never accepts what came first."""
    refused: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        event_id = (await request.json())["id"]
        refused[:] = refused or [event_id]
        return web.Response(status=500) if event_id in refused else await accept(request)

    return handler


async def test_its_end_is_told(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    replays: Replays,
    deliverer: Deliverer,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 2)
    await enabled(tenants, webhook, fan_out_events)
    missed_until = clock()
    await tenants.change(
        webhook, missed_since=missed_until - timedelta(minutes=5), missed_until=missed_until
    )
    partly = await replays.start(webhook, "missing", event_types=["key.created"])
    await replays.run(partly, deliverer)
    replay = await replays.run(await replays.start(webhook, "missing"), deliverer)
    async with tenants.sessions() as db:
        row = await db.get_one(Webhook, webhook.id)
        told = (await db.scalars(select(Event).where(Event.type == "replay.completed"))).all()
        audited = await db.scalars(
            select(AuditEntry.target_id).where(AuditEntry.action == "replay.completed")
        )
    assert {one.data["id"] for one in told} == {str(partly), str(replay.id)}
    assert {one.data["state"] for one in told} == {"succeeded"}
    assert set(audited) == {partly, replay.id}
    # What it missed was sent, and its version says that it has changed.
    assert (row.missed_since, row.missed_until, row.version) == (None, None, 2)


async def test_a_replay_that_takes_too_long_ends_and_leaves_nothing_out_in_silence(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    replays: Replays,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 2)
    await enabled(tenants, webhook, fan_out_events)
    replay_id = await replays.start(webhook, "missing", max_per_second=1)
    await replays.step(replay_id)
    clock.advance(LIFETIME)
    assert await replays.step(replay_id) is None
    replay = await replays.get(replay_id)
    assert (replay.state, replay.failure_reason) == ("failed", "expired")


async def test_events_of_thirty_days_are_not_sent_again(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    replays: Replays,
    deliverer: Deliverer,
    fan_out_events: EventFanOut,
) -> None:
    """Their deliveries are deleted, so that nobody knows whether they were delivered."""
    webhook = await missed(tenants, receiver, 2)
    await enabled(tenants, webhook, fan_out_events)
    replay_id = await replays.start(webhook, "missing")
    async with tenants.sessions.begin() as db:
        await db.execute(update(Event).values(created_at=clock() - KEPT + timedelta(minutes=1)))
        await db.execute(update(Replay).values(since=clock() - KEPT))
    clock.advance(timedelta(minutes=2))
    replay = await replays.run(replay_id, deliverer)
    assert (replay.state, replay.found, receiver.requests) == ("succeeded", 0, [])


async def test_an_event_that_is_numbered_later_is_live_and_not_replayed(
    tenants: Tenants,
    receiver: Receiver,
    replays: Replays,
    deliverer: Deliverer,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 1)
    await enabled(tenants, webhook, fan_out_events)
    organization = await tenants.organization()
    replay_id = await replays.start(webhook, "all")
    organization = (await replays.get(replay_id)).organization_id
    await tenants.event(organization)
    await replays.step(replay_id)
    await fan_out_events()
    await deliverer.deliver_due()
    await deliverer.settle()
    replay = await replays.run(replay_id, deliverer)
    assert (replay.found, len(receiver.requests)) == (1, 2)


async def test_one_that_fails_in_its_step_holds_up_no_other(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    replays: Replays,
    deliverer: Deliverer,
    fan_out_events: EventFanOut,
) -> None:
    broken, well = await missed(tenants, receiver, 1), await missed(tenants, receiver, 1)
    for webhook in (broken, well):
        await enabled(tenants, webhook, fan_out_events)
    first = await replays.start(broken, "missing", max_per_second=0)
    second = await replays.start(well, "missing")
    replayer = Replayer(tenants.sessions, clock, deliverer.deliver)
    await replayer.take_round()
    await deliverer.settle()
    await replays.step(second)
    assert (await replays.get(second)).state == "succeeded"
    later = await replays.get(first)
    assert later.active
    assert later.next_step_at > clock() + timedelta(seconds=1)


async def test_ended_replays_are_deleted_in_the_end(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    replays: Replays,
    deliverer: Deliverer,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 1)
    await enabled(tenants, webhook, fan_out_events)
    await replays.run(await replays.start(webhook, "missing"), deliverer)
    running = await replays.start(webhook, "missing")
    clock.advance(KEPT)
    async with tenants.sessions.begin() as db:
        assert await delete_replays(db, clock(), 10) == 1
    async with tenants.sessions() as db:
        assert (await db.scalars(select(Replay.id))).all() == [running]


async def test_a_worker_that_is_killed_leaves_a_replay_to_the_next_one(
    platform: Platform,
    tenants: Tenants,
    receiver: Receiver,
    replays: Replays,
    fan_out_events: EventFanOut,
) -> None:
    webhook = await missed(tenants, receiver, 150)
    await enabled(tenants, webhook, fan_out_events)
    replay_id = await replays.start(webhook, "missing", max_per_second=100)
    notifier = platform.notifier()
    async with platform.worker() as worker:
        notifier.notify(REPLAY_TASK)
        await eventually(lambda: len(receiver.requests) >= 50, 30)
        await worker.kill()
    await tenants.let_claims_run_out()
    async with platform.worker():
        for task in (REPLAY_TASK, DELIVERY_TASK):
            notifier.notify(task)

        async def over() -> bool:
            return not (await replays.get(replay_id)).active

        await eventually(over, 45)
    await asyncio.to_thread(notifier.close)
    replay = await replays.get(replay_id)
    assert (replay.state, replay.found, replay.done) == ("succeeded", 150, 150)
    events = await numbered(tenants, replay.organization_id)
    assert set(received(receiver)) == set(events)
    async with tenants.sessions() as db:
        count = await db.scalar(
            select(func.count()).select_from(Delivery).where(Delivery.webhook_id == webhook.id)
        )
    assert count == 150
    # What was under way when a worker died comes twice, with one id.
    assert len({one.webhook_id for one in receiver.requests}) == 150
