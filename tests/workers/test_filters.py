"""Promises about filters on the way from an event to its deliveries."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from portico_contract import event_document
from portico_kit.ids import new_id
from portico_kit.testing.clocks import OffsetClock
from server.common.records import Event
from server.features.webhooks.delivery.backlog import Backlog
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery_queue import DueWebhook
from server.features.webhooks.fanout import fan_out
from server.features.webhooks.models import Webhook
from tests.support.event_schemas import faults
from tests.workers.harness import Receiver, Subscription, Tenants, answer

PRO = {"data": {"tier": {"$in": ["pro", "enterprise"]}}}


async def filtered(tenants: Tenants, url: str, organization: UUID, pattern: Any) -> Subscription:
    """A webhook with a filter."""
    webhook = await tenants.webhook(organization, url)
    await tenants.change(webhook, filter=pattern)
    return webhook


async def happen(tenants: Tenants, organization: UUID, *tiers: str) -> None:
    """Events of an organization that changes its tier."""
    data = event_document("organization.updated").example["data"]
    async with tenants.sessions.begin() as db:
        for tier in tiers:
            event = {"type": "organization.updated", "data": {**data, "tier": tier}}
            db.add(Event(id=new_id(), organization_id=organization, **event))


async def test_an_event_that_a_filter_leaves_out_makes_no_delivery(
    tenants: Tenants, receiver: Receiver, fan_out_events: EventFanOut, deliverer: Deliverer
) -> None:
    organization = await tenants.organization()
    strict = await filtered(tenants, receiver.url, organization, PRO)
    whole = await tenants.webhook(organization, receiver.url)
    by_type = await filtered(tenants, receiver.url, organization, {"type": {"$startsWith": "key."}})
    by_envelope = {"organizationId": str(organization), "timestamp": {"$gt": "2026"}}
    envelope = await filtered(tenants, receiver.url, organization, by_envelope)
    await happen(tenants, organization, "free", "pro", "basic")
    await fan_out_events()
    await deliverer.settle()
    counts = [len(await tenants.deliveries(each)) for each in (strict, whole, by_type, envelope)]
    assert counts == [1, 3, 0, 3]
    (sent,) = [one for one in receiver.requests if one.webhook_id == await only_id(tenants, strict)]
    payload = json.loads(sent.body)
    assert payload["data"]["tier"] == "pro"
    # What was posted is what the catalogue says.
    assert faults(payload) == []


async def only_id(tenants: Tenants, webhook: Subscription) -> str:
    return str((await tenants.delivery(webhook)).id)


async def test_another_version_of_a_webhook_has_another_filter(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock
) -> None:
    organization = await tenants.organization()
    webhook = await filtered(tenants, receiver.url, organization, PRO)

    async def deliveries_of(tier: str) -> int:
        await happen(tenants, organization, tier)
        async with tenants.sessions.begin() as db:
            await fan_out(db, clock(), 10)
        return len(await tenants.deliveries(webhook))

    assert (await deliveries_of("free"), await deliveries_of("pro")) == (0, 1)
    async with tenants.sessions.begin() as db:
        (await db.get_one(Webhook, webhook.id)).filter = {"data": {"tier": "free"}}
    assert (await deliveries_of("pro"), await deliveries_of("free")) == (1, 2)
    async with tenants.sessions.begin() as db:
        (await db.get_one(Webhook, webhook.id)).filter = None
    assert await deliveries_of("basic") == 3


async def test_a_filter_that_cannot_be_read_lets_everything_through_and_stops_nothing(
    tenants: Tenants, receiver: Receiver, fan_out_events: EventFanOut, deliverer: Deliverer
) -> None:
    """As an older worker would meet an operator of a newer version."""
    organization = await tenants.organization()
    webhook = await filtered(tenants, receiver.url, organization, {"type": {"$newer": 1}})
    await happen(tenants, organization, "free")
    await fan_out_events()
    await deliverer.settle()
    assert len(await tenants.deliveries(webhook)) == 1


async def test_catching_up_passes_what_a_filter_leaves_out_however_much_that_is(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, fan_out_events: EventFanOut
) -> None:
    organization = await tenants.organization()
    receiver.handler = answer(500)
    webhook = await filtered(tenants, receiver.url, organization, PRO)
    await tenants.change(webhook, failing_since=clock(), behind_since=clock())
    # All within a minute: more than are looked at together, and twice.
    await happen(tenants, organization, *["free"] * 300, "pro", *["free"] * 300, "pro")
    await fan_out_events()
    assert await tenants.deliveries(webhook) == []
    due: list[DueWebhook] = []

    async def note(found: Any) -> None:
        due.extend(found)

    await Backlog(tenants.sessions, clock, note)()
    assert len(await tenants.deliveries(webhook)) == 2
    assert [one.webhook_id for one in due] == [webhook.id]
    async with tenants.sessions() as db:
        assert (await db.get_one(Webhook, webhook.id)).behind_since is None
