"""Promises about webhooks with limits: kept over all workers, and paid for by nobody else."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left

from aiohttp import web

from portico_kit.testing.clocks import OffsetClock
from portico_kit.testing.waiting import eventually
from server.features.webhooks.delivery.deliverer import Capacity
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery_queue import LEASE
from tests.workers.conftest import NewDeliverer
from tests.workers.harness import Receiver, Tenants, hanging, receiving

RATE, EVENTS = 40, 80


async def test_three_workers_together_keep_to_the_rate_and_use_it(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, new_deliverer: NewDeliverer
) -> None:
    times: list[float] = []

    async def count(_request: web.Request) -> web.Response:
        times.append(time.monotonic())
        return web.Response()

    receiver.handler = count
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    await tenants.change(webhook, max_per_second=RATE)
    workers = [await new_deliverer() for _ in range(3)]
    async with receiving() as other:
        plain = await tenants.webhook(organization, other.url)
        await tenants.events(organization, EVENTS)
        await EventFanOut(tenants.sessions, clock, workers[0].deliver, workers[0])()
        await asyncio.gather(*(worker.deliver_due() for worker in workers))
        await other.got(EVENTS)
        # The others are through long before.
        assert len(times) < EVENTS / 2
        await eventually(lambda: len(times) == EVENTS, 20)
        await eventually(lambda: _delivered(tenants, plain), 5)
    assert times[-1] - times[0] >= (EVENTS - 1) / RATE - 0.05
    # A moment more than the slots of one second: a request can be late and the next not.
    busiest = max(bisect_left(times, moment + 1) - place for place, moment in enumerate(times))
    assert busiest <= RATE + 4
    assert times[-1] - times[0] <= 4 * EVENTS / RATE


async def _delivered(tenants: Tenants, webhook: object) -> bool:
    found = await tenants.deliveries(webhook)  # type: ignore[arg-type]
    return {each.status for each in found} == {"delivered"}


async def test_three_workers_together_have_no_more_in_flight_than_is_allowed(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, new_deliverer: NewDeliverer
) -> None:
    under_way = most = 0

    async def count(_request: web.Request) -> web.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.03)
        under_way -= 1
        return web.Response()

    receiver.handler = count
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    await tenants.change(webhook, max_in_flight=3)
    workers = [await new_deliverer() for _ in range(3)]
    await tenants.events(organization, 40)
    await EventFanOut(tenants.sessions, clock, workers[0].deliver, workers[0])()
    await asyncio.gather(*(worker.deliver_due() for worker in workers))
    await eventually(lambda: _delivered(tenants, webhook), 20)
    assert (most, len(receiver.requests)) == (3, 40)


async def test_what_a_dead_worker_had_in_flight_counts_until_its_claim_runs_out(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, new_deliverer: NewDeliverer
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    await tenants.change(webhook, max_in_flight=2)
    dying, living = await new_deliverer(seconds=60), await new_deliverer()
    receiver.handler = hanging(60)
    await tenants.events(organization, 3)
    await EventFanOut(tenants.sessions, clock, dying.deliver, dying)()
    await receiver.got(2)
    await living.deliver_due()
    await living.settle()
    assert len(receiver.requests) == 2
    clock.advance(LEASE)
    receiver.handler = hanging(0)
    await living.deliver_due()
    await eventually(lambda: _delivered(tenants, webhook))
    await dying.close(0)


async def test_a_webhook_that_waits_for_its_limit_holds_no_slot(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, new_deliverer: NewDeliverer
) -> None:
    organization = await tenants.organization()
    limited = await tenants.webhook(organization, receiver.url, "key.created")
    await tenants.change(limited, max_per_second=1, max_in_flight=1)
    few = await new_deliverer(Capacity(slots=2, share=2, slow_slots=1, slow_share=1))
    fan_out_events = EventFanOut(tenants.sessions, clock, few.deliver, few)
    await tenants.events(organization, 10)
    await fan_out_events()
    async with receiving() as quick:
        await tenants.webhook(organization, quick.url, "key.revoked")
        started = time.monotonic()
        for _ in range(10):
            await tenants.event(organization, "key.revoked")
        await fan_out_events()
        await quick.got(10)
        assert time.monotonic() - started < 3
    assert len(receiver.requests) <= 4
    await few.close(5)


async def test_a_limit_that_is_lifted_or_set_counts_from_the_next_claim_on(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, new_deliverer: NewDeliverer
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    worker = await new_deliverer()
    fan_out_events = EventFanOut(tenants.sessions, clock, worker.deliver, worker)
    await tenants.change(webhook, max_per_second=1)
    await tenants.events(organization, 5)
    await fan_out_events()
    await receiver.got(1)
    await tenants.change(webhook, max_per_second=None)
    await worker.deliver_due()
    await receiver.got(5, within=2)
    await worker.settle()
    await tenants.change(webhook, max_per_second=1)
    await tenants.events(organization, 5)
    await fan_out_events()
    await asyncio.sleep(0.5)
    assert len(receiver.requests) <= 6
    await worker.close(5)
