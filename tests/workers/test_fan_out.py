"""Promises about the way from an event to the webhooks that want it."""

from __future__ import annotations

import asyncio
from collections import Counter

from portico_kit.testing.clocks import OffsetClock
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.fanout import fan_out
from tests.workers.conftest import NewDeliverer
from tests.workers.harness import Receiver, Tenants, receiving


async def test_an_event_is_told_to_each_webhook_that_wants_it_and_to_no_other(
    tenants: Tenants, receiver: Receiver, fan_out_events: EventFanOut, deliverer: Deliverer
) -> None:
    organization, other = await tenants.organization(), await tenants.organization()
    wanted = await tenants.webhook(organization, receiver.url, "key.created", "key.revoked")
    everything = await tenants.webhook(organization, receiver.url, "*")
    silent = [
        await tenants.webhook(organization, receiver.url, "member.added"),
        await tenants.webhook(organization, receiver.url, "*", enabled=False),
        await tenants.webhook(other, receiver.url, "*"),
    ]
    event_id = await tenants.event(organization, "key.created")
    await fan_out_events()
    await deliverer.settle()
    for webhook in (wanted, everything):
        delivery = await tenants.delivery(webhook)
        assert (delivery.event_id, delivery.status) == (event_id, "delivered")
        assert delivery.organization_id == organization
    for webhook in silent:
        assert await tenants.deliveries(webhook) == []
    assert len(receiver.requests) == 2


async def test_an_event_that_nobody_wants_is_done_with(
    tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    event_id = await tenants.event(await tenants.organization())
    await fan_out_events()
    assert (await tenants.find_event(event_id)).fanned_out_at is not None


async def test_more_events_than_one_batch_are_all_told(
    tenants: Tenants, receiver: Receiver, fan_out_events: EventFanOut, deliverer: Deliverer
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    await tenants.events(organization, 250)
    await fan_out_events()
    await deliverer.settle()
    deliveries = await tenants.deliveries(webhook)
    assert Counter(delivery.status for delivery in deliveries) == {"delivered": 250}
    assert len({request.webhook_id for request in receiver.requests}) == 250


async def test_several_workers_at_once_tell_an_event_once(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, new_deliverer: NewDeliverer
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    await tenants.events(organization, 120)
    deliverers = [await new_deliverer() for _ in range(3)]
    workers = [EventFanOut(tenants.sessions, clock, each.deliver) for each in deliverers]
    await asyncio.gather(*(worker() for worker in workers))
    for each in deliverers:
        await each.deliver_due()
        await each.settle()
    assert len(receiver.requests) == len(await tenants.deliveries(webhook)) == 120


async def test_what_breaks_off_halfway_leaves_the_event_as_it_was(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, fan_out_events: EventFanOut
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    event_id = await tenants.event(organization)
    async with tenants.sessions() as db:
        assert (await fan_out(db, clock(), 10)).count == 1
        await db.rollback()
    assert await tenants.deliveries(webhook) == []
    assert (await tenants.find_event(event_id)).fanned_out_at is None
    await fan_out_events()
    assert len(await tenants.deliveries(webhook)) == 1


async def test_a_receiver_that_is_away_does_not_keep_others_waiting(
    tenants: Tenants, receiver: Receiver, fan_out_events: EventFanOut, deliverer: Deliverer
) -> None:
    organization = await tenants.organization()
    async with receiving() as gone:
        url = gone.url
    away = await tenants.webhook(organization, url)
    here = await tenants.webhook(organization, receiver.url)
    await tenants.event(organization)
    await fan_out_events()
    await deliverer.settle()
    assert (await tenants.delivery(here)).status == "delivered"
    assert (await tenants.attempt(away)).error == "The connection was refused."
