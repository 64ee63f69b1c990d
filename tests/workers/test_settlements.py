"""Promises about attempts that are written down together."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from portico_kit.testing.clocks import OffsetClock
from server.features.webhooks.delivery.settlements import Settlements
from server.features.webhooks.delivery_queue import (
    AttemptResult,
    Outcome,
    claim_due,
    outcome,
)
from server.features.webhooks.fanout import fan_out
from server.features.webhooks.models import Attempt, Delivery
from tests.workers.harness import Subscription, Tenants

MANY = 5
TOO_LARGE = 2**31


async def claimed(tenants: Tenants, webhook: Subscription, clock: OffsetClock) -> list[Outcome]:
    """Deliveries that a worker holds, each with an attempt that went well."""
    now = clock()
    async with tenants.sessions.begin() as db:
        await fan_out(db, now, MANY)
    async with tenants.sessions.begin() as db:
        claims = await claim_due(db, {webhook.id: MANY}, now=now, until=now + timedelta(minutes=1))
    return [outcome(claim, AttemptResult(now, 1, 200), None) for claim in claims]


async def webhook_with_events(tenants: Tenants) -> Subscription:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, "https://example.com/hook")
    await tenants.events(organization, MANY)
    return webhook


async def written(tenants: Tenants) -> set[UUID]:
    async with tenants.sessions() as db:
        return set(await db.scalars(select(Attempt.delivery_id)))


async def test_many_are_written_and_each_caller_hears_of_its_own(
    tenants: Tenants, clock: OffsetClock
) -> None:
    outcomes = await claimed(tenants, await webhook_with_events(tenants), clock)
    lost = replace(outcomes[0], until=outcomes[0].until + timedelta(seconds=1))
    settlements = Settlements(tenants.sessions)
    results = await asyncio.gather(*map(settlements.settle, [lost, *outcomes[1:]]))
    assert results == [False, *[True] * (MANY - 1)]
    assert await written(tenants) == {each.delivery_id for each in outcomes[1:]}
    assert await settlements.settle(outcomes[1]) is False


async def test_one_that_cannot_be_written_keeps_no_other_back(
    tenants: Tenants, clock: OffsetClock
) -> None:
    outcomes = await claimed(tenants, await webhook_with_events(tenants), clock)
    broken = replace(outcomes[0], duration_ms=TOO_LARGE)
    settlements = Settlements(tenants.sessions)
    calls = map(settlements.settle, [broken, *outcomes[1:]])
    failed, *others = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(failed, Exception)
    assert others == [True] * (MANY - 1)
    assert await written(tenants) == {each.delivery_id for each in outcomes[1:]}


async def test_a_delivery_that_somebody_holds_is_written_once_it_is_free(
    tenants: Tenants, clock: OffsetClock
) -> None:
    outcomes = await claimed(tenants, await webhook_with_events(tenants), clock)
    settlements = Settlements(tenants.sessions)
    async with tenants.sessions.begin() as holder:
        held = Delivery.id == outcomes[0].delivery_id
        await holder.execute(select(Delivery.id).where(held).with_for_update())
        first, *others = [asyncio.create_task(settlements.settle(each)) for each in outcomes]
        assert await asyncio.gather(*others) == [True] * (MANY - 1)
        assert not first.done()
    assert await first is True
    assert await written(tenants) == {each.delivery_id for each in outcomes}
