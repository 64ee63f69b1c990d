"""Promises about what Prometheus is told of deliveries, and about workers that are killed."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from datetime import timedelta

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, select

from portico_kit.clock import utc_now
from portico_kit.ids import new_id
from portico_kit.tasks.names import EVENT_TASK
from portico_kit.testing.ports import free_ports
from portico_kit.testing.waiting import eventually
from server.common.records import Event
from server.features.emails.models import Email
from server.features.webhooks.delivery.attempt_statistics import AttemptStatistics
from server.features.webhooks.delivery_queue import AttemptResult
from server.features.webhooks.models import Delivery, Webhook
from server.features.webhooks.names import FAILING_TASK
from tests.workers.harness import Subscription, Tenants, answer, receiving
from tests.workers.processes import Platform
from tests.workers.test_gone import owner_of

Samples = dict[tuple[str, ...], float]


async def samples(port: int) -> Samples:
    """What a worker shows of webhooks, by name and labels."""
    url = f"http://127.0.0.1:{port}/metrics"
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        assert response.status == 200
        families = text_string_to_metric_families(await response.text())
    return {
        (sample.name.removeprefix("portico_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("portico_webhook")
    }


async def test_a_worker_shows_attempts_lag_and_webhooks_that_fail(
    platform: Platform, tenants: Tenants
) -> None:
    late, organization = await tenants.organization(), await tenants.organization()
    await _put_late_delivery(tenants, await tenants.webhook(late, "http://127.0.0.1:9/"), 300)
    failing = await tenants.webhook(late, "http://127.0.0.1:9/", enabled=True)
    await tenants.change(failing, failing_since=utc_now())
    await _put_late_delivery(tenants, failing, 900)
    for reason in ("failing", "failing", "gone", "requested"):
        disabled = await tenants.webhook(late, "http://127.0.0.1:9/", enabled=False)
        await tenants.change(disabled, disabled_reason=reason)
        await _put_late_delivery(tenants, disabled, 9000)
    (port,) = free_ports(1)
    variables = {"PORTICO_WORKER_METRICS_PORT": str(port)}
    async with receiving() as good, receiving() as bad:
        bad.handler = answer(500)
        for url in (good.url, bad.url, "http://127.0.0.1:9/nobody"):
            await tenants.webhook(organization, url)
        await tenants.events(organization, 2)
        async with platform.running("worker", **variables):
            await platform.alive()
            notifier = platform.notifier()
            notifier.notify(EVENT_TASK)
            await asyncio.to_thread(notifier.close)

            async def counted() -> bool:
                found = await samples(port)
                return found["webhook_attempts_total", "unanswered"] == 2

            await eventually(counted, 15)
            found = await samples(port)
    assert found["webhook_attempts_total", "accepted"] == 2
    assert found["webhook_attempts_total", "refused"] == 2
    assert found["webhook_response_seconds_count",] == 4
    assert found["webhook_response_seconds_bucket", "+Inf"] == 4
    assert 0 <= found["webhook_response_seconds_sum",] < 4
    assert 300 <= found["webhook_lag_seconds", "healthy"] < 400
    assert 900 <= found["webhook_lag_seconds", "unwell"] < 1000
    assert found["webhooks_failing",] == 1
    assert found["webhooks_disabled", "failing"] == 2
    assert found["webhooks_disabled", "gone"] == 1
    # However many tenants there are, there are no more series.
    labels = {label for name, *labels in found if not name.endswith("_bucket") for label in labels}
    assert labels == {"accepted", "refused", "unanswered", "healthy", "unwell", "failing", "gone"}


async def test_a_metrics_port_that_is_taken_is_one_clear_line(platform: Platform) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        port = other.getsockname()[1]
        variables = {"PORTICO_WORKER_METRICS_PORT": str(port)}
        async with platform.running("worker", **variables) as (worker,):
            async with asyncio.timeout(30):
                assert await worker.wait() == 1
    (line,) = (platform.folder / "worker.log").read_text().splitlines()
    assert f"port {port} of 127.0.0.1 is taken" in line
    assert "PORTICO_WORKER_METRICS_PORT" in line


async def test_workers_that_are_killed_warn_of_each_webhook_once(
    platform: Platform, tenants: Tenants
) -> None:
    organization, count = await tenants.organization(), 100
    await owner_of(tenants, organization)
    statistics = AttemptStatistics(tenants.sessions)
    for _ in range(count):
        webhook = await tenants.webhook(organization, "http://127.0.0.1:9/", "key.created")
        await tenants.change(webhook, failing_since=utc_now() - timedelta(days=3))
        for _ in range(20):
            statistics.count(webhook.id, AttemptResult(utc_now(), 5, 500))
    await statistics.flush()

    async def warned() -> int:
        query = select(func.count()).where(Webhook.failing_step == 50)
        async with tenants.sessions() as db:
            return await db.scalar(query) or 0

    async def more_than(number: int) -> None:
        async def there() -> bool:
            return await warned() > number

        await eventually(there, 30, every=0.002)

    notifier = platform.notifier()
    async with platform.worker() as worker:
        notifier.notify(FAILING_TASK)
        await more_than(10)
        await worker.kill()
    assert await warned() < count
    async with platform.worker():
        notifier.notify(FAILING_TASK)
        await more_than(count - 1)
    await asyncio.to_thread(notifier.close)
    async with tenants.sessions() as db:
        events = await db.scalars(select(Event.data).where(Event.type == "webhook.failing"))
        told = Counter(data["id"] for data in events)
        mails = await db.scalar(select(func.count()).select_from(Email))
    assert (len(told), set(told.values()), mails) == (count, {1}, count)


async def _put_late_delivery(tenants: Tenants, webhook: Subscription, seconds: int) -> None:
    """A delivery that has been due for so long."""
    async with tenants.sessions.begin() as db:
        row = await db.get_one(Webhook, webhook.id)
        db.add(
            Delivery(
                id=new_id(),
                webhook_id=row.id,
                organization_id=row.organization_id,
                event_id=new_id(),
                event_type="key.created",
                next_attempt_at=utc_now() - timedelta(seconds=seconds),
            )
        )
