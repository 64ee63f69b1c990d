"""How deliveries to a webhook have gone: counted by the workers, asked for by its readers."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import accumulate
from uuid import UUID

import grpc
import pytest
from portico.webhooks.v1 import webhook_service_pb2 as pb
from portico.webhooks.v1.webhook_statistics_pb2 import WebhookStatistics
from sqlalchemy import text

from portico_kit.clock import moment
from portico_kit.storage.base import sessions
from server.features.webhooks.delivery.attempt_statistics import AttemptStatistics
from server.features.webhooks.delivery_queue import AttemptResult
from server.features.webhooks.latency import BOUNDS, CLASSES, latency_class, percentiles
from tests.core.conftest import Refused
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import Person, World

OK = grpc.StatusCode.OK
INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def statistics(
    client: WebhookClient, webhook_id: str, window: str = "", caller: Person | None = None
) -> WebhookStatistics:
    """The statistics as the owner, or somebody else, sees them."""
    request = pb.GetWebhookStatisticsRequest(webhook_id=webhook_id, window=window)
    answer = await client.world.webhooks.GetWebhookStatistics(
        request, metadata=(caller or client.owner).metadata
    )
    return answer.statistics


Count = Callable[..., Awaitable[None]]


@pytest.fixture
def count(world: World) -> Count:
    """What a worker writes down of attempts that it has made, so long ago."""

    async def write(
        webhook_id: str,
        *attempts: tuple[int, int | None],
        ago: timedelta = timedelta(),
        worker: AttemptStatistics | None = None,
    ) -> None:
        made = worker or AttemptStatistics(sessions(world.engine))
        for duration_ms, status in attempts:
            made.count(UUID(webhook_id), AttemptResult(world.clock() - ago, duration_ms, status))
        await made.flush()

    return write


async def test_a_new_webhook_has_empty_statistics(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create()).webhook
    found = await statistics(webhook_client, webhook.id)
    assert (found.webhook_id, found.attempt_count, found.accepted_count) == (webhook.id, 0, 0)
    shown = {field.name for field, _ in found.ListFields()}
    assert not shown & {"success_ratio", "latency", "last_accepted_at", "last_failed_at"}
    assert (found.pending_count, found.lag_seconds, found.events_waiting) == (0, 0, False)
    assert len(found.buckets) == 24


async def test_attempts_are_counted_by_what_came_of_them(
    webhook_client: WebhookClient, world: World, count: Count
) -> None:
    webhook = (await webhook_client.create()).webhook
    other = (await webhook_client.create()).webhook
    await count(webhook.id, *[(100, 200)] * 3, (40, 503), (10_000, None))
    await count(other.id, (1, 204))
    found = await statistics(webhook_client, webhook.id)
    assert (found.attempt_count, found.accepted_count, found.success_ratio) == (5, 3, 0.6)
    # No response has no latency.
    assert found.latency.p99_ms <= 100
    assert found.last_accepted_at.ToMilliseconds() - found.last_failed_at.ToMilliseconds() < 0
    assert (await statistics(webhook_client, other.id)).success_ratio == 1


@pytest.mark.parametrize(
    ("window", "parts", "step"),
    [
        ("1h", 12, timedelta(minutes=5)),
        ("24h", 24, timedelta(hours=1)),
        ("7d", 28, timedelta(hours=6)),
    ],
)
async def test_a_window_ends_now_and_has_parts_of_equal_length(
    webhook_client: WebhookClient,
    world: World,
    count: Count,
    window: str,
    parts: int,
    step: timedelta,
) -> None:
    webhook = (await webhook_client.create()).webhook
    length = step * parts
    await count(webhook.id, (10, 200))
    await count(webhook.id, (10, 200), (10, 500), ago=length - timedelta(minutes=10))
    await count(webhook.id, *[(10, 200)] * 50, ago=length + timedelta(minutes=10))
    found = await statistics(webhook_client, webhook.id, window)
    since, until = moment(found.since), moment(found.until)
    assert timedelta() <= length - (until - since) < timedelta(minutes=5)
    assert since.timestamp() % 300 == 0
    begins = [moment(one.since) for one in found.buckets]
    assert begins == list(accumulate([step] * (parts - 1), _later, initial=since))
    assert begins[-1] <= until < begins[-1] + step
    counts = [(one.attempt_count, one.accepted_count) for one in found.buckets]
    assert sum(made for made, _ in counts) == found.attempt_count == 3
    # The older ones lie in one of the first parts of five minutes, or in the first of an hour.
    assert (2, 1) in counts[:3]
    assert counts[-1] == (1, 1)


def _later(moment: datetime, by: timedelta) -> datetime:
    return moment + by


async def test_what_two_workers_count_is_added_up(
    webhook_client: WebhookClient, world: World, count: Count
) -> None:
    webhook = (await webhook_client.create()).webhook
    workers = [AttemptStatistics(sessions(world.engine)) for _ in range(2)]
    for worker in workers * 2:
        await count(webhook.id, (3, 200), (60, 500), worker=worker)
    found = await statistics(webhook_client, webhook.id, "1h")
    assert (found.attempt_count, found.accepted_count) == (8, 4)
    assert found.latency.median_ms <= 3
    assert 50 < found.latency.p95_ms <= 70


async def test_the_queue_is_shown_with_its_lag(webhook_client: WebhookClient, world: World) -> None:
    webhook = (await webhook_client.create()).webhook
    for _ in range(3):
        await webhook_client.test(webhook.id)
    async with world.engine.begin() as connection:
        await connection.execute(
            text(
                "update deliveries set next_attempt_at = next_attempt_at - interval '90 s'"
                " where id = (select min(id::text)::uuid from deliveries where webhook_id = :id)"
            ),
            {"id": webhook.id},
        )
        await connection.execute(
            text("update webhooks set behind_since = now() where id = :id"), {"id": webhook.id}
        )
    found = await statistics(webhook_client, webhook.id)
    assert (found.pending_count, found.events_waiting) == (3, True)
    assert 90 <= found.lag_seconds < 150
    await webhook_client.update(webhook.id, enabled=False)
    found = await statistics(webhook_client, webhook.id)
    assert (found.pending_count, found.lag_seconds) == (3, 0)


async def test_a_retry_that_is_due_later_is_no_lag(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create()).webhook
    await webhook_client.test(webhook.id)
    async with world.engine.begin() as connection:
        await connection.execute(
            text(
                "update deliveries set next_attempt_at = now() + interval '1 h'"
                " where webhook_id = :id"
            ),
            {"id": webhook.id},
        )
    found = await statistics(webhook_client, webhook.id)
    assert (found.pending_count, found.lag_seconds) == (1, 0)


async def test_only_known_windows_can_be_asked_for(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    webhook = (await webhook_client.create()).webhook
    for window in ("1H", "30d", "24h ", "0", "' or 1=1"):
        found = await refused(
            statistics(webhook_client, webhook.id, window), INVALID, "VALIDATION_ERROR"
        )
        assert found.fields == ("window",)


async def test_a_stranger_sees_no_statistics(
    webhook_client: WebhookClient, stranger: Person, refused: Refused
) -> None:
    webhook = (await webhook_client.create()).webhook
    call = statistics(webhook_client, webhook.id, caller=stranger)
    await refused(call, grpc.StatusCode.NOT_FOUND, "WEBHOOK_NOT_FOUND")


async def test_statistics_go_with_their_webhook(
    webhook_client: WebhookClient, world: World, count: Count
) -> None:
    webhook = (await webhook_client.create()).webhook
    worker = AttemptStatistics(sessions(world.engine))
    await count(webhook.id, (5, 200), worker=worker)
    await world.webhooks.DeleteWebhook(
        pb.DeleteWebhookRequest(webhook_id=webhook.id), metadata=webhook_client.owner.metadata
    )
    # An attempt that was under way, together with one to another webhook.
    other = (await webhook_client.create()).webhook
    worker.count(UUID(webhook.id), AttemptResult(world.clock(), 5, 200))
    await count(other.id, (5, 200), worker=worker)
    assert (await statistics(webhook_client, other.id)).attempt_count == 1
    async with world.engine.connect() as connection:
        left = await connection.scalar(
            text("select count(*) from webhook_statistics where webhook_id = :id"),
            {"id": webhook.id},
        )
    assert left == 0


async def test_a_month_of_attempts_is_answered_at_once(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create()).webhook
    async with world.engine.begin() as connection:
        await connection.execute(
            text("""
                insert into webhook_statistics
                select :id, to_timestamp(floor(extract(epoch from now()) / 300) * 300)
                       - part * interval '5 minutes', 1000000, 999999, null, now(),
                       array_fill(37037, array[cast(:classes as integer)])
                from generate_series(0, 8639) as part
            """),
            {"id": webhook.id, "classes": CLASSES},
        )
    started = time.process_time()
    found = await statistics(webhook_client, webhook.id, "7d")
    assert time.process_time() - started < 0.5
    assert found.attempt_count >= 2015 * 1_000_000
    assert found.buckets[3].attempt_count == 72 * 1_000_000
    assert not found.HasField("last_accepted_at")


async def test_why_and_until_when_a_webhook_fails_is_shown(
    webhook_client: WebhookClient, world: World
) -> None:
    webhook = (await webhook_client.create()).webhook
    async with world.engine.begin() as connection:
        await connection.execute(
            text(
                "update webhooks set failing_since = now() - interval '3 days', failing_step = 50,"
                " disables_at = now() + interval '2 days' where id = :id"
            ),
            {"id": webhook.id},
        )
    shown = await webhook_client.get(webhook.id)
    assert shown.failing_warning_percent == 50
    assert moment(shown.disables_at) - moment(shown.failing_since) == timedelta(days=5)
    # It tells its owner something else, and is no other version.
    await webhook_client.update(webhook.id, description="Another one")
    assert (await webhook_client.get(webhook.id)).failing_since == shown.failing_since


@pytest.mark.parametrize("change", ["enabled", "moved"])
async def test_a_webhook_that_is_enabled_again_or_moved_has_all_its_time(
    webhook_client: WebhookClient, world: World, change: str
) -> None:
    webhook = (await webhook_client.create()).webhook
    async with world.engine.begin() as connection:
        await connection.execute(
            text(
                "update webhooks set failing_since = now() - interval '5 days', failing_step = 90,"
                " disables_at = now(), enabled = :enabled, disabled_reason = :reason,"
                " disabled_at = now() where id = :id"
            ),
            {
                "id": webhook.id,
                "enabled": change == "moved",
                "reason": "" if change == "moved" else "failing",
            },
        )
    if change == "enabled":
        disabled = await webhook_client.get(webhook.id)
        assert disabled.disabled_reason == "failing"
        assert disabled.HasField("failing_since")
        assert not disabled.HasField("disables_at")
        await webhook_client.update(webhook.id, enabled=True)
    else:
        await webhook_client.update(webhook.id, url=webhook.url)
        assert (await webhook_client.get(webhook.id)).failing_warning_percent == 90
        await webhook_client.update(webhook.id, url="https://example.org/other")
    shown = await webhook_client.get(webhook.id)
    assert shown.failing_warning_percent == 0
    assert not shown.HasField("failing_since")
    assert not shown.HasField("disables_at")


@pytest.mark.parametrize("durations", [[5], [1] * 10, [1, 10, 100, 1000], list(range(1, 2000))])
def test_percentiles_are_off_by_a_quarter_at_most(durations: list[int]) -> None:
    counts = [0] * CLASSES
    for duration in durations:
        counts[latency_class(duration)] += 1
    shares = (0.5, 0.95, 0.99, 1)
    for share, found in zip(shares, percentiles(counts, shares), strict=True):
        exact = sorted(durations)[math.ceil(len(durations) * share) - 1]
        assert abs(found - exact) <= max(1, exact * 0.25)


def test_what_takes_longer_than_any_class_counts_as_the_last_bound() -> None:
    assert latency_class(10**6) == CLASSES - 1
    assert percentiles([0] * (CLASSES - 1) + [3], (0.5,)) == [BOUNDS[-1]]
