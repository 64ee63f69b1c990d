"""Metrics of the deliveries, for Prometheus. No label names a tenant.

What a worker has sent is counted by each for itself. What is in the database, the lag
and the webhooks that fail, each of them shows alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.clock import Clock
from portico_kit.storage.base import Sessions
from portico_kit.tasks.failures import log_failures
from server.features.webhooks.delivery.attempt_statistics import Tally
from server.features.webhooks.latency import BOUNDS, CLASSES
from server.features.webhooks.models import FAILING, GONE

# How often the database is asked, in seconds.
INTERVAL = 15.0

ATTEMPTS = Counter(
    "portico_webhook_attempts",
    "Attempts to deliver an event: accepted, refused by the receiver, or unanswered.",
    ["outcome"],
)
LAG = Gauge(
    "portico_webhook_lag_seconds",
    "For how long the oldest delivery has been due; of webhooks whose receivers are healthy, and"
    " of those that fail or are slow.",
    ["receivers"],
)
FAILING_WEBHOOKS = Gauge(
    "portico_webhooks_failing", "Enabled webhooks whose last attempt was not accepted."
)
DISABLED_WEBHOOKS = Gauge(
    "portico_webhooks_disabled", "Webhooks that the platform has disabled, by reason.", ["reason"]
)
RESPONSE_SECONDS = "portico_webhook_response_seconds"
OUTCOMES = ("accepted", "refused", "unanswered")
HEALTHY, UNWELL = "healthy", "unwell"
# The labels are there from the start: a rate of what has never been counted is no rate.
for _outcome in OUTCOMES:
    ATTEMPTS.labels(_outcome)
for _receivers in (HEALTHY, UNWELL):
    LAG.labels(_receivers)
for _reason in (GONE, FAILING):
    DISABLED_WEBHOOKS.labels(_reason)


class ResponseTimes(Collector):
    """How long receivers took to respond, in the classes in which that is counted anyway."""

    def __init__(self) -> None:
        self._counts = [0] * CLASSES
        self._seconds = 0.0

    def add(self, tally: Tally) -> None:
        """Counts the responses of a tally."""
        self._counts = [sum(pair) for pair in zip(self._counts, tally.responses, strict=True)]
        self._seconds += tally.response_ms / 1000

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The histogram, as Prometheus reads it."""
        bounds = [*(str(bound / 1000) for bound in BOUNDS), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(
            RESPONSE_SECONDS,
            "The time until the receiver responded, in seconds.",
            buckets,
            self._seconds,
        )


RESPONSE_TIMES = ResponseTimes()
REGISTRY.register(RESPONSE_TIMES)


def publish(tallies: Iterable[Tally]) -> None:
    """Adds attempts to the metrics of this process."""
    for tally in tallies:
        answered = tally.attempts - tally.unanswered
        ATTEMPTS.labels("accepted").inc(tally.accepted)
        ATTEMPTS.labels("refused").inc(answered - tally.accepted)
        ATTEMPTS.labels("unanswered").inc(tally.unanswered)
        RESPONSE_TIMES.add(tally)


async def watch(sessions: Sessions, clock: Clock) -> None:
    """Keeps up to date what the database knows, until it is cancelled."""
    while True:
        with log_failures("webhook_metrics_not_read"):
            async with sessions() as db:
                await read(db, clock)
        await asyncio.sleep(INTERVAL)


async def read(db: AsyncSession, clock: Clock) -> None:
    """Reads the lag and the webhooks that fail."""
    row = (await db.execute(_STATE)).one()
    FAILING_WEBHOOKS.set(row.failing)
    DISABLED_WEBHOOKS.labels(FAILING).set(row.disabled_failing)
    DISABLED_WEBHOOKS.labels(GONE).set(row.disabled_gone)
    now = clock()
    for receivers, oldest in ((HEALTHY, row.healthy), (UNWELL, row.unwell)):
        lag = 0.0 if oldest is None else (now - oldest).total_seconds()
        LAG.labels(receivers).set(max(0.0, lag))


# One probe for each webhook that has pending deliveries, as `find_due_webhooks` makes them.
_STATE = text("""
    with recursive queues(webhook_id, oldest) as (
        (select webhook_id, next_attempt_at from deliveries where next_attempt_at is not null
         order by webhook_id, next_attempt_at limit 1)
        union all
        select next.* from queues cross join lateral (
            select webhook_id, next_attempt_at from deliveries
            where next_attempt_at is not null and webhook_id > queues.webhook_id
            order by webhook_id, next_attempt_at limit 1
        ) next
    ),
    lags as (
        select min(oldest) filter (where well) as healthy,
               min(oldest) filter (where not well) as unwell
        from (
            select oldest, failing_since is null and slow_since is null and behind_since is null
                   as well
            from queues join webhooks on webhooks.id = queues.webhook_id
            where webhooks.enabled
        ) known
    )
    select healthy, unwell, counts.* from lags cross join (
        select count(*) filter (where enabled and failing_since is not null) as failing,
               count(*) filter (where disabled_reason = 'failing') as disabled_failing,
               count(*) filter (where disabled_reason = 'gone') as disabled_gone
        from webhooks
    ) counts
""")
