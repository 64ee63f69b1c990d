"""Promises about workers that share the events, and are killed in the middle of their work."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from uuid import UUID

from sqlalchemy import func, select

from cli.run.process import Child
from portico_kit.tasks.names import EVENT_TASK
from portico_kit.tasks.notifier import CeleryTaskNotifier
from portico_kit.testing.waiting import eventually
from server.common.records import Event
from server.features.webhooks.models import Delivery
from server.features.webhooks.names import DELIVERY_TASK
from tests.workers.harness import Receiver, Tenants
from tests.workers.processes import Platform

EVENTS = 100  # of each organization
ORGANIZATIONS = 3
WEBHOOKS = 2  # of each organization
DELIVERIES = ORGANIZATIONS * WEBHOOKS * EVENTS


async def make_events(
    tenants: Tenants, organizations: list[UUID], notifier: CeleryTaskNotifier
) -> None:
    """Events of all organizations in turns, a few at a time; the workers are woken for each."""
    for _ in range(EVENTS // 5):
        for organization in organizations:
            await tenants.events(organization, 5)
            notifier.notify(EVENT_TASK)
        await asyncio.sleep(random.uniform(0, 0.2))  # noqa: S311


async def kill_after(worker: Child, receiver: Receiver, count: int) -> None:
    """Kills a worker once so many deliveries have come."""
    await eventually(lambda: len(receiver.requests) >= count, within=60)
    await worker.kill()


async def statuses(tenants: Tenants) -> Counter[str]:
    """How many deliveries there are of each status."""
    query = select(Delivery.status, func.count()).group_by(Delivery.status)
    async with tenants.sessions() as db:
        return Counter(dict((await db.execute(query)).tuples().all()))


async def sequences(tenants: Tenants, organization: UUID) -> list[int | None]:
    """The numbers of the events of an organization, in their order."""
    query = select(Event.sequence).where(Event.organization_id == organization)
    async with tenants.sessions() as db:
        return list(await db.scalars(query.order_by(Event.sequence)))


async def test_two_workers_that_are_killed_at_any_time_lose_nothing_and_leave_no_gap(
    platform: Platform, tenants: Tenants, receiver: Receiver
) -> None:
    organizations = [await tenants.organization() for _ in range(ORGANIZATIONS)]
    webhooks = [
        await tenants.webhook(organization, receiver.url)
        for organization in organizations
        for _ in range(WEBHOOKS)
    ]
    notifier = platform.notifier()
    async with platform.running("worker", "worker", "worker") as (first, second, _):
        await platform.alive()
        making = asyncio.create_task(make_events(tenants, organizations, notifier))
        for worker in (first, second):
            count = len(receiver.requests) + random.randint(5, DELIVERIES // 3)  # noqa: S311
            await kill_after(worker, receiver, count)
        await making

        async def all_delivered() -> bool:
            await tenants.let_claims_run_out()
            for task in (EVENT_TASK, DELIVERY_TASK):
                notifier.notify(task)
            return await statuses(tenants) == {"delivered": DELIVERIES}

        await eventually(all_delivered, within=45, every=1.0)
    await asyncio.to_thread(notifier.close)
    ids = {str(each.id) for webhook in webhooks for each in await tenants.deliveries(webhook)}
    assert {request.webhook_id for request in receiver.requests} == ids
    for organization in organizations:
        assert await sequences(tenants, organization) == list(range(1, EVENTS + 1))
