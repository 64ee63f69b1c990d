"""Promises about ordered webhooks: whatever fails or dies, nothing overtakes what it belongs to."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy import select, update

from portico_kit.clock import utc_now
from portico_kit.tasks.retries import RetrySchedule
from portico_kit.testing.clocks import OffsetClock
from portico_kit.testing.waiting import eventually
from server.common.outbound_addresses import AddressPolicy
from server.common.records import Event
from server.features.webhooks.delivery.backlog import Backlog
from server.features.webhooks.delivery.deliverer import Capacity, Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery.http import WebhookClient
from server.features.webhooks.delivery_queue import AttemptResult
from server.features.webhooks.models import Delivery
from tests.workers.harness import Receiver, Subscription, Tenants, accept, answer, receiving

QUICK_RETRIES = RetrySchedule((timedelta(milliseconds=50),) * 2)


async def add_events(tenants: Tenants, organization: UUID, *things: str) -> None:
    """An event about each of these, one after the other."""
    for thing in things:
        async with tenants.sessions.begin() as db:
            data = {"id": thing} if thing else {}
            db.add(Event(organization_id=organization, type="key.updated", data=data))


async def ordered(tenants: Tenants, url: str, **fields: Any) -> tuple[UUID, Subscription]:
    """A new organization with an ordered webhook."""
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, url)
    await tenants.change(webhook, **fields)
    return organization, webhook


def things(receiver: Receiver) -> list[str]:
    """What the events were about that a receiver got."""
    return [json.loads(request.body)["data"].get("id", "") for request in receiver.requests]


async def test_the_first_of_a_line_blocks_what_it_belongs_to_and_nothing_else(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    by_id = {"ordering": "field", "order_by": "data.id"}
    organization, webhook = await ordered(tenants, receiver.url, **by_id)

    async def fail_for_a(request: web.Request) -> web.Response:
        failed = json.loads(await request.read())["data"].get("id") == "a"
        return web.Response(status=500 if failed else 200)

    receiver.handler = fail_for_a
    await add_events(tenants, organization, "a", "b", "a", "b", "", "")
    await fan_out_events()
    await deliverer.settle()
    assert Counter(things(receiver)) == {"a": 1, "b": 2, "": 2}
    assert [each.blocked for each in await tenants.deliveries(webhook)].count(True) == 1
    for seconds in (75, 365, 1085):  # the schedule, a fifth longer
        clock.advance(timedelta(seconds=seconds))
        await deliverer.deliver_due()
        await deliverer.settle()
    # The first was given up after four attempts, and the second began.
    assert Counter(things(receiver)) == {"a": 5, "b": 2, "": 2}
    statuses = Counter(each.status for each in await tenants.deliveries(webhook))
    assert statuses == {"delivered": 4, "failed": 1, "pending": 1}


async def test_a_webhook_that_catches_up_keeps_the_order(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    organization, webhook = await ordered(tenants, receiver.url, ordering="webhook")
    receiver.handler = answer(500)
    await add_events(tenants, organization, *"abc")
    await fan_out_events()
    await deliverer.settle()
    backlog = Backlog(tenants.sessions, clock, deliverer.deliver, full=2)
    await backlog()
    await add_events(tenants, organization, *"defg")
    await fan_out_events()
    assert len(await tenants.deliveries(webhook)) == 3
    receiver.handler = accept
    clock.advance(timedelta(seconds=75))
    await deliverer.deliver_due()
    await deliverer.settle()
    await backlog()
    await deliverer.settle()
    await add_events(tenants, organization, "h")
    await fan_out_events()
    await deliverer.settle()
    assert things(receiver) == [*"aabcdefgh"]


async def test_a_webhook_that_is_enabled_again_goes_on_in_order(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    organization, webhook = await ordered(tenants, receiver.url, ordering="webhook")
    receiver.handler = answer(410)
    await add_events(tenants, organization, *"abc")
    await fan_out_events()
    await deliverer.settle()
    assert things(receiver) == ["a"]
    receiver.handler = accept
    await tenants.change(webhook, enabled=True)
    # What was the first may have been deleted meanwhile.
    async with tenants.sessions.begin() as db:
        await db.delete(await db.get_one(Delivery, (await tenants.deliveries(webhook))[0].id))
    await deliverer.deliver_due()
    await deliverer.settle()
    assert things(receiver) == [*"abc"]


async def test_a_redelivery_goes_out_of_turn_and_holds_up_nobody(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    organization, webhook = await ordered(tenants, receiver.url, ordering="webhook")
    await add_events(tenants, organization, "a")
    await fan_out_events()
    await deliverer.settle()
    receiver.handler = answer(500)
    await tenants.redeliver(await tenants.delivery(webhook), clock())
    await deliverer.deliver_due()
    await deliverer.settle()
    receiver.handler = accept
    await add_events(tenants, organization, *"bc")
    await fan_out_events()
    await deliverer.settle()
    assert things(receiver) == [*"aabc"]


class MortalClient:
    """Posts as workers do, until its worker is killed: then nothing is heard of it again."""

    def __init__(self, client: WebhookClient) -> None:
        self._client = client
        self.dead = False
        self.hung: set[UUID] = set()

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout_seconds: float | None = None,
    ) -> AttemptResult:
        result = await self._client.post(url, body, headers, timeout_seconds)
        while self.dead:
            self.hung.add(UUID(headers["webhook-id"]))
            await asyncio.sleep(3600)
        return result


@dataclass
class Workers:
    """Several workers on one database, each of which fans out, looks for what is due and sends."""

    tenants: Tenants
    clock: OffsetClock
    clients: list[MortalClient] = field(default_factory=list)
    steps: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def add(self) -> None:
        client = WebhookClient(AddressPolicy(allow_loopback=True), self.clock, "test", 5)
        mortal = MortalClient(client)
        deliverer = Deliverer(
            self.tenants.sessions,
            mortal,
            self.tenants.secrets,
            self.clock,
            retries=QUICK_RETRIES,
            capacity=Capacity(slots=8, share=4),
        )
        fan_out_events = EventFanOut(
            self.tenants.sessions, self.clock, deliverer.deliver, deliverer
        )

        async def step() -> None:
            if not mortal.dead:
                await fan_out_events()
                await deliverer.deliver_due()

        self.clients.append(mortal)
        self.steps.append(step)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async def work(step: Callable[[], Awaitable[None]]) -> None:
            while True:
                await step()
                await asyncio.sleep(0.03)

        running = [asyncio.create_task(work(step)) for step in self.steps]
        try:
            yield
        finally:
            for task in running:
                task.cancel()

    async def kill(self, client: MortalClient) -> None:
        """Kills a worker in the middle of attempts, and lets its claims run out."""
        client.dead = True
        await asyncio.sleep(0.5)
        async with self.tenants.sessions.begin() as db:
            await db.execute(
                update(Delivery)
                .where(Delivery.id.in_(client.hung), Delivery.status == "pending")
                .values(claimed_until=utc_now())
            )


class Unreliable:
    """A receiver that answers late and fails by chance, and remembers when each attempt came."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self.attempts: list[UUID] = []
        self.under_way: Counter[str] = Counter()
        self.overlaps = 0

    async def __call__(self, request: web.Request) -> web.Response:
        event = json.loads(await request.read())
        self.attempts.append(UUID(event["id"]))
        thing = event["data"]["id"]
        self.overlaps += self.under_way[thing] > 0
        self.under_way[thing] += 1
        await asyncio.sleep(self._random.random() * 0.02)
        self.under_way[thing] -= 1
        return web.Response(status=500 if self._random.random() < 0.15 else 200)


async def test_order_is_kept_whatever_fails_and_whoever_dies(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock
) -> None:
    organization, by_thing = await ordered(
        tenants, receiver.url, ordering="field", order_by="data.id"
    )
    workers = Workers(tenants, clock)
    for _ in range(3):
        workers.add()
    async with receiving() as one_by_one, receiving() as unordered:
        whole = await tenants.webhook(organization, one_by_one.url)
        await tenants.change(whole, ordering="webhook")
        plain = await tenants.webhook(organization, unordered.url)
        logs = [Unreliable(seed) for seed in (1, 2, 3)]
        for each, log in zip((receiver, one_by_one, unordered), logs, strict=True):
            each.handler = log

        async def write(number: int) -> None:
            for turn in range(10):
                await add_events(tenants, organization, f"{(number + turn) % 4}")

        async def ended() -> bool:
            webhooks = (by_thing, whole, plain)
            found = [each for one in webhooks for each in await tenants.deliveries(one)]
            return len(found) == 120 and all(each.status != "pending" for each in found)

        async with workers.running():
            writing = asyncio.gather(*(write(number) for number in range(4)))
            await eventually(lambda: len(logs[1].attempts) > 10, 30)
            await workers.kill(workers.clients[0])
            await writing
            await eventually(ended, 40)
    order = await sequences(tenants, organization)
    assert set(logs[0].attempts) == set(logs[1].attempts) == set(logs[2].attempts) == set(order)
    numbers = [order[event][1] for event in logs[1].attempts]
    assert numbers == sorted(numbers)
    lines = defaultdict(list)
    for event in logs[0].attempts:
        thing, number = order[event]
        lines[thing].append(number)
    assert all(line == sorted(line) for line in lines.values())
    assert logs[0].overlaps == 0


async def sequences(tenants: Tenants, organization: UUID) -> dict[UUID, tuple[str, int]]:
    """What each event is about, and its number."""
    query = select(Event).where(Event.organization_id == organization)
    async with tenants.sessions() as db:
        return {each.id: (each.data["id"], each.sequence or 0) for each in await db.scalars(query)}
