"""Promises about workers that share the deliveries, and receivers that share the workers."""

from __future__ import annotations

import asyncio

from aiohttp import web

from portico_kit.testing.clocks import OffsetClock
from portico_kit.testing.waiting import eventually
from server.features.webhooks.delivery.deliverer import Capacity, Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery_queue import LEASE
from tests.workers.conftest import NewDeliverer
from tests.workers.harness import Receiver, Subscription, Tenants, answer, hanging


async def test_several_workers_at_once_send_a_delivery_once(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    new_deliverer: NewDeliverer,
    deliverer: Deliverer,
) -> None:
    receiver.handler = hanging(0.3)
    others = [await new_deliverer() for _ in range(3)]
    await fan_out_events()
    await asyncio.gather(*(other.deliver_due() for other in others))
    await asyncio.gather(*(each.settle() for each in (deliverer, *others)))
    assert len(receiver.requests) == 1


async def test_a_claim_that_ran_out_is_taken_by_another_worker_and_only_its_result_counts(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    new_deliverer: NewDeliverer,
    deliverer: Deliverer,
) -> None:
    other = await new_deliverer()
    receiver.handler = hanging(0.5)
    await fan_out_events()
    await receiver.got(1)
    receiver.handler = answer(500)
    await other.deliver_due()
    assert len(receiver.requests) == 1
    clock.advance(LEASE)
    await other.deliver_due()
    await asyncio.gather(other.settle(), deliverer.settle())
    first, second = receiver.requests
    assert first.webhook_id == second.webhook_id
    delivery = await tenants.delivery(webhook)
    assert (delivery.status, delivery.attempt_count) == ("pending", 1)


async def test_a_webhook_that_is_deleted_during_a_delivery_takes_it_along(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = hanging(0.3)
    await fan_out_events()
    await receiver.got(1)
    await tenants.delete(webhook)
    await deliverer.settle()
    assert await tenants.deliveries(webhook) == []


async def test_receivers_that_hang_leave_slots_to_the_others(
    tenants: Tenants, receiver: Receiver, new_deliverer: NewDeliverer, clock: OffsetClock
) -> None:
    release = asyncio.Event()

    async def hang_or_accept(request: web.Request) -> web.StreamResponse:
        if request.path == "/hang":
            await release.wait()
        return web.Response()

    receiver.handler = hang_or_accept
    organization, hang = await tenants.organization(), receiver.url.replace("/hook", "/hang")
    stuck = await tenants.webhook(organization, hang, "key.created")
    quick = await tenants.webhook(organization, receiver.url, "key.revoked")
    few = await new_deliverer(Capacity(slots=4, batch=1, share=2), seconds=20)
    await tenants.events(organization, 6)
    await tenants.event(organization, "key.revoked")
    await EventFanOut(tenants.sessions, clock, few.deliver)()

    async def delivered() -> bool:
        return (await tenants.delivery(quick)).status == "delivered"

    await eventually(delivered)
    assert {each.status for each in await tenants.deliveries(stuck)} == {"pending"}
    release.set()
    await few.settle()
    assert {each.status for each in await tenants.deliveries(stuck)} == {"delivered"}


async def test_a_worker_that_stops_finishes_what_is_under_way_and_begins_nothing(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = hanging(0.3)
    await fan_out_events()
    await receiver.got(1)
    late = await tenants.event((await tenants.delivery(webhook)).organization_id)
    await deliverer.close(patience=5)
    await fan_out_events()
    statuses = {each.event_id: each.status for each in await tenants.deliveries(webhook)}
    assert statuses.pop(late) == "pending"
    assert list(statuses.values()) == ["delivered"]
