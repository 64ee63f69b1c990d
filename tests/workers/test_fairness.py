"""Promises about tenants that share the workers: what one does never costs another."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import timedelta

from aiohttp import web
from sqlalchemy import select

from portico_kit.testing.clocks import OffsetClock
from portico_kit.testing.waiting import eventually
from server.common.records import Event
from server.features.webhooks.delivery.backlog import Backlog
from server.features.webhooks.delivery.deliverer import Capacity
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.fanout import BEGINNING, fan_out
from server.features.webhooks.models import Webhook
from tests.workers.conftest import NewDeliverer
from tests.workers.harness import (
    Receiver,
    Subscription,
    Tenants,
    accept,
    answer,
    hanging,
    receiving,
)


async def health(tenants: Tenants, webhook: Subscription) -> Webhook:
    """A webhook as the workers know it."""
    async with tenants.sessions() as db:
        return await db.get_one(Webhook, webhook.id)


async def test_hanging_receivers_of_five_tenants_do_not_delay_another(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, new_deliverer: NewDeliverer
) -> None:
    async with receiving() as black_hole:
        black_hole.handler = hanging(60)
        for _ in range(5):
            organization = await tenants.organization()
            for _ in range(20):
                await tenants.webhook(organization, black_hole.url)
            await tenants.events(organization, 5)
        deliverer = await new_deliverer(seconds=8)
        fan_out_events = EventFanOut(tenants.sessions, clock, deliverer.deliver)
        await fan_out_events()
        organization = await tenants.organization()
        await tenants.webhook(organization, receiver.url)
        waits = []
        for number in range(1, 11):
            await tenants.event(organization)
            started = time.monotonic()
            await fan_out_events()
            await receiver.got(number, within=5)
            waits.append(time.monotonic() - started)
        await deliverer.close(0)
    assert max(waits) < 2
    assert sorted(waits)[5] < 0.5


async def test_a_slow_receiver_gives_its_slot_up_in_the_middle_of_an_attempt(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, new_deliverer: NewDeliverer
) -> None:
    release = asyncio.Event()

    async def hold(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    organization = await tenants.organization()
    deliverer = await new_deliverer(Capacity(slots=2, share=2, patience=0.2), seconds=20)
    async with receiving() as slow:
        slow.handler = hold
        held = await tenants.webhook(organization, slow.url, "key.created")
        await tenants.events(organization, 2)
        await tenants.webhook(organization, receiver.url, "key.revoked")
        fan_out_events = EventFanOut(tenants.sessions, clock, deliverer.deliver)
        await fan_out_events()
        for number in range(1, 6):
            await tenants.event(organization, "key.revoked")
            await fan_out_events()
            await receiver.got(number, within=5)
        release.set()
        await deliverer.settle()
    assert {each.status for each in await tenants.deliveries(held)} == {"delivered"}
    assert (await health(tenants, held)).slow_since is not None


async def test_a_receiver_that_is_quick_again_leaves_the_slow_lane(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    new_deliverer: NewDeliverer,
) -> None:
    deliverer = await new_deliverer(Capacity(patience=0.1))
    fan_out_events = EventFanOut(tenants.sessions, clock, deliverer.deliver)
    receiver.handler = hanging(0.3)
    await fan_out_events()
    await deliverer.settle()
    slow = await health(tenants, webhook)
    assert (slow.slow_since is not None, slow.failing_since) == (True, None)
    receiver.handler = accept
    await tenants.event(slow.organization_id)
    await fan_out_events()
    await deliverer.settle()
    assert (await health(tenants, webhook)).slow_since is None


async def test_what_its_owner_sees_of_a_webhook_does_not_change_with_its_health(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    new_deliverer: NewDeliverer,
) -> None:
    before = await health(tenants, webhook)
    deliverer = await new_deliverer()
    receiver.handler = answer(500)
    await EventFanOut(tenants.sessions, clock, deliverer.deliver)()
    await deliverer.settle()
    after = await health(tenants, webhook)
    assert after.failing_since is not None
    assert (after.version, after.updated_at) == (before.version, before.updated_at)


async def test_organizations_take_turns_when_events_become_deliveries(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock
) -> None:
    busy, quiet = await tenants.organization(), await tenants.organization()
    for organization in (busy, quiet):
        await tenants.webhook(organization, receiver.url)
    await tenants.events(busy, 50)
    late = await tenants.event(quiet)
    async with tenants.sessions.begin() as db:
        first = await fan_out(db, clock(), 10)
    assert (await tenants.find_event(late)).fanned_out_at is not None
    assert (first.count, first.more) == (6, True)


async def test_many_webhooks_of_one_tenant_do_not_make_a_long_transaction(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock
) -> None:
    busy, quiet = await tenants.organization(), await tenants.organization()
    for _ in range(30):
        await tenants.webhook(busy, receiver.url)
    await tenants.webhook(quiet, receiver.url)
    await tenants.events(busy, 100)
    last, counts = BEGINNING, []
    for _ in range(2):
        async with tenants.sessions.begin() as db:
            batch = await fan_out(db, clock(), 100, last)
        counts.append(batch.count)
        last = batch.last
        assert batch.more
    assert max(counts) <= 17


async def test_each_event_is_told_once_whoever_fans_out_and_in_whatever_turns(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock
) -> None:
    webhooks = []
    for count in (40, 3, 17):
        organization = await tenants.organization()
        webhooks.append((await tenants.webhook(organization, receiver.url), count))
        await tenants.events(organization, count)

    async def nobody(_due: object) -> None:
        """Deliveries are only made here."""

    workers = [EventFanOut(tenants.sessions, clock, nobody) for _ in range(4)]
    await asyncio.gather(*(worker() for worker in workers))
    await workers[0]()
    for webhook, count in webhooks:
        assert len(await tenants.deliveries(webhook)) == count
    async with tenants.sessions() as db:
        assert (await db.scalars(select(Event).where(Event.fanned_out_at.is_(None)))).all() == []


async def test_a_webhook_that_cannot_keep_up_has_a_bounded_queue_and_loses_nothing(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, new_deliverer: NewDeliverer
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    deliverer = await new_deliverer()
    fan_out_events = EventFanOut(tenants.sessions, clock, deliverer.deliver)
    backlog = Backlog(tenants.sessions, clock, deliverer.deliver, full=10)
    receiver.handler = answer(500)
    await tenants.events(organization, 10)
    await fan_out_events()
    await deliverer.settle()
    await backlog()
    await tenants.events(organization, 30)
    await fan_out_events()
    await backlog()
    await deliverer.settle()
    assert len(await tenants.deliveries(webhook)) == 10

    receiver.handler = accept
    clock.advance(timedelta(hours=1))
    await deliverer.deliver_due()
    await deliverer.settle()
    await backlog()
    await deliverer.settle()
    await tenants.event(organization)
    await fan_out_events()
    await deliverer.settle()
    deliveries = await tenants.deliveries(webhook)
    assert Counter(each.status for each in deliveries) == {"delivered": 41}
    assert len({each.event_id for each in deliveries}) == 41
    assert (await health(tenants, webhook)).behind_since is None


async def test_falling_behind_during_a_fan_out_loses_no_event(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, new_deliverer: NewDeliverer
) -> None:
    """Events, fan-out, falling behind and catching up, all at once."""
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    await tenants.change(webhook, failing_since=clock())

    async def nobody(_due: object) -> None:
        """Deliveries are only made here."""

    fan_outs = [EventFanOut(tenants.sessions, clock, nobody) for _ in range(2)]
    full = Backlog(tenants.sessions, clock, nobody, full=20)
    empty = Backlog(tenants.sessions, clock, nobody, full=100_000)
    for _ in range(12):
        await tenants.events(organization, 25)
        await asyncio.gather(*(each() for each in fan_outs), full(), empty())
    await asyncio.gather(*(each() for each in fan_outs))
    for _ in range(3):
        await empty()
    deliveries = await tenants.deliveries(webhook)
    assert len(deliveries) == len({each.event_id for each in deliveries}) == 300


async def test_two_workers_never_claim_the_same_delivery(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, new_deliverer: NewDeliverer
) -> None:
    for _ in range(3):
        organization = await tenants.organization()
        await tenants.webhook(organization, receiver.url)
        await tenants.webhook(organization, receiver.url)
        await tenants.events(organization, 40)
    receiver.handler = hanging(0.02)
    workers = [await new_deliverer() for _ in range(3)]
    await EventFanOut(tenants.sessions, clock, workers[0].deliver)()
    await asyncio.gather(*(worker.deliver_due() for worker in workers))
    await asyncio.gather(*(worker.settle() for worker in workers))
    await workers[1].deliver_due()
    await workers[1].settle()
    ids = Counter(request.webhook_id for request in receiver.requests)
    assert len(ids) == 240
    assert set(ids.values()) == {1}


async def test_a_claim_takes_no_more_than_the_turns_say(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, new_deliverer: NewDeliverer
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    release = asyncio.Event()

    async def hold(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    receiver.handler = hold
    await tenants.events(organization, 30)
    deliverer = await new_deliverer(Capacity(share=7), seconds=20)
    await EventFanOut(tenants.sessions, clock, deliverer.deliver)()
    await asyncio.sleep(0.3)
    claimed = [each for each in await tenants.deliveries(webhook) if each.claimed_until]
    assert len(receiver.requests) == len(claimed) == 7
    release.set()
    await deliverer.settle()
    await eventually(lambda: len(receiver.requests) == 30)
