"""The order of an organization's events: numbers without a gap, each seen after all before it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import pytest
from sqlalchemy import select

from portico_kit.testing.clocks import OffsetClock
from server.common.records import Event
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.fanout import fan_out
from tests.workers.harness import Tenants

WRITERS = 20
EACH = 10


async def nobody(_due: object) -> None:
    """Events are only numbered here."""


async def numbers(tenants: Tenants, organization_id: UUID) -> Sequence[int]:
    """The numbers that are seen at this moment, in the order of the events' times."""
    query = (
        select(Event.sequence)
        .where(Event.organization_id == organization_id, Event.sequence.is_not(None))
        .order_by(Event.created_at)
    )
    async with tenants.sessions() as db:
        return [number for number in await db.scalars(query) if number is not None]


async def test_each_organization_counts_its_events_from_one(
    tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    first, second = await tenants.organization(), await tenants.organization()
    for _ in range(3):
        await tenants.event(first)
        await fan_out_events()
    await tenants.events(second, 150)
    await fan_out_events()
    assert await numbers(tenants, first) == [1, 2, 3]
    assert sorted(await numbers(tenants, second)) == list(range(1, 151))


async def test_what_failed_halfway_takes_no_number(
    tenants: Tenants, clock: OffsetClock, fan_out_events: EventFanOut
) -> None:
    organization = await tenants.organization()
    await tenants.event(organization)
    async with tenants.sessions() as db:
        assert (await fan_out(db, clock(), 10)).count == 1
        await db.rollback()
    await tenants.event(organization)
    await fan_out_events()
    assert await numbers(tenants, organization) == [1, 2]


async def write(tenants: Tenants, organization_id: UUID, number: int) -> None:
    """Long transactions that overlap and end in another order than they began in."""
    for turn in range(EACH):
        async with tenants.sessions.begin() as db:
            db.add(Event(organization_id=organization_id, type="key.created", data={}))
            await db.flush()
            await asyncio.sleep((number * 7 + turn * 3) % 11 / 100)


async def repeat(step: Callable[[], Awaitable[object]], stop: asyncio.Event) -> None:
    """Does something again and again until it is told to stop."""
    while not stop.is_set():
        await step()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("workers", [1, 3])
async def test_a_number_is_seen_only_after_all_before_it_whatever_the_transactions_do(
    tenants: Tenants, clock: OffsetClock, workers: int
) -> None:
    organization = await tenants.organization()
    relays = [EventFanOut(tenants.sessions, clock, nobody) for _ in range(workers)]
    written = asyncio.Event()

    async def look() -> None:
        seen = sorted(await numbers(tenants, organization))
        assert seen == list(range(1, len(seen) + 1))

    async with asyncio.TaskGroup() as group:
        steps: list[Callable[[], Awaitable[object]]] = [*relays, look]
        for step in steps:
            group.create_task(repeat(step, written))
        writing = (write(tenants, organization, number) for number in range(WRITERS))
        await asyncio.gather(*writing)
        written.set()
    await relays[0]()
    assert len(await numbers(tenants, organization)) == WRITERS * EACH
