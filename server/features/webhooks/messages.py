"""Webhooks, deliveries and attempts as the contract shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from portico.webhooks.v1 import webhook_pb2 as pb
from portico.webhooks.v1 import webhook_statistics_pb2 as statistics_pb
from portico.webhooks.v1.webhook_service_pb2 import WebhookKey

from portico_kit.clock import timestamp
from server.common.records import Event
from server.features.webhooks import signing_keys
from server.features.webhooks.latency import percentiles
from server.features.webhooks.models import (
    DEFAULT_TIMEOUT_SECONDS,
    Attempt,
    Delivery,
    Webhook,
)
from server.features.webhooks.signing_keys import PublicKeys
from server.features.webhooks.statistics import Counts, Queue, Window

# What stands for all of a URL that may be as good as a credential.
HIDDEN = "/…"
# Why a pending delivery is not sent yet.
WAITING_FOR_ORDER = "order"
WAITING_FOR_LIMIT = "limit"


def webhook(row: Webhook, now: datetime) -> pb.Webhook:
    """The message for a webhook, for those who may change it."""
    message = redacted_webhook(row, now)
    message.url = row.url
    return message


def redacted_webhook(row: Webhook, now: datetime) -> pb.Webhook:
    """The message for a webhook as it is shown to all others, in events and in the audit log."""
    expires_at = row.previous_secret_expires_at
    previous_key = row.public_keys.overlap(now)
    missed = row.has_missed(now)
    message = pb.Webhook(
        id=str(row.id),
        organization_id=str(row.organization_id),
        url=redacted_url(row.url),
        event_types=row.event_types,
        description=row.description,
        enabled=row.enabled,
        all_organizations=row.all_organizations,
        created_at=timestamp(row.created_at),
        updated_at=timestamp(row.updated_at),
        disabled_reason=row.disabled_reason,
        disabled_at=timestamp(row.disabled_at),
        previous_secret_expires_at=timestamp(
            expires_at if expires_at is not None and now < expires_at else None
        ),
        max_per_second=row.max_per_second or 0,
        max_in_flight=row.max_in_flight or 0,
        ordering=row.ordering,
        order_by=row.order_by,
        failing_since=timestamp(row.failing_since),
        failing_warning_percent=row.failing_step,
        disables_at=timestamp(row.disables_at if row.enabled else None),
        retry_schedule=row.retry_schedule,
        retry_pauses_seconds=row.schedule.pauses,
        timeout_seconds=row.timeout_seconds or DEFAULT_TIMEOUT_SECONDS,
        header_names=row.header_names,
        signing=row.signing,
        public_key=signing_keys.shown(row.public_key),
        previous_public_key=signing_keys.shown(previous_key),
        previous_public_key_expires_at=timestamp(
            row.previous_key_expires_at if previous_key else None
        ),
        missed_since=timestamp(row.missed_since if missed else None),
        missed_until=timestamp(row.missed_until if missed else None),
    )
    if row.filter is not None:
        message.filter.update(row.filter)
    return message


def web_keys(keys: PublicKeys, now: datetime) -> Iterator[WebhookKey]:
    """The public keys of a webhook that verify its deliveries now, the current one first."""
    for key in (keys.current, keys.overlap(now)):
        if key is not None:
            yield WebhookKey(**signing_keys.jwk(keys.webhook_id, key))


def redacted_url(url: str) -> str:
    """A URL without its path and query: capability URLs carry their token there."""
    scheme, _, rest = url.partition("://")
    # Rows from before user names were refused may hold one.
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    after = rest[len(authority) :]
    host = authority.rpartition("@")[2]
    return f"{scheme}://{host}" + (after if after in ("", "/") else HIDDEN)


def filtered_event(event: Event, mismatch: str) -> pb.FilteredEvent:
    """The message for an event, and what keeps it from being sent; "" for nothing."""
    return pb.FilteredEvent(
        event_id=str(event.id),
        event_type=event.type,
        created_at=timestamp(event.created_at),
        sent=not mismatch,
        mismatch=mismatch,
    )


def delivery(row: Delivery, waiting_for: str = "") -> pb.Delivery:
    """The message for a delivery as lists show it.

    Args:
        waiting_for: why it is not sent yet, if not for the order.
    """
    return pb.Delivery(
        id=str(row.id),
        webhook_id=str(row.webhook_id),
        event_id=str(row.event_id),
        event_type=row.event_type,
        status=row.status,
        attempt_count=row.attempt_count,
        next_attempt_at=timestamp(None if row.blocked else row.next_attempt_at),
        created_at=timestamp(row.created_at),
        delivered_at=timestamp(row.delivered_at),
        waiting_for=WAITING_FOR_ORDER if row.blocked else waiting_for,
    )


def waiting_for(row: Delivery, webhook: Webhook, now: datetime) -> str:
    """Why a delivery that is due is not sent, as far as its webhook says."""
    held_back = webhook.limited and webhook.enabled and row.held_back(now)
    return WAITING_FOR_LIMIT if held_back else ""


def listed_delivery(
    row: Delivery, webhook: Webhook, responses: Mapping[UUID, int], now: datetime
) -> pb.Delivery:
    """The message for a delivery in a list.

    Args:
        responses: the HTTP statuses of the latest attempts, by delivery.
    """
    message = delivery(row, waiting_for(row, webhook, now))
    message.response_status = responses.get(row.id, 0)
    return message


def whole_delivery(row: Delivery, payload: str, attempts: Sequence[Attempt]) -> pb.Delivery:
    """The message for a delivery with what is posted and what came of it."""
    message = delivery(row)
    message.payload = payload
    message.attempts.extend(attempt(one) for one in attempts)
    message.response_status = message.attempts[-1].response_status if attempts else 0
    return message


def attempt(row: Attempt) -> pb.Attempt:
    """The message for an attempt."""
    return pb.Attempt(
        number=row.number,
        started_at=timestamp(row.started_at),
        duration_ms=row.duration_ms,
        response_status=row.response_status or 0,
        response_body=row.response_body,
        error=row.error,
    )


def statistics(
    row: Webhook, window: Window, parts: Sequence[Counts], queue: Queue, now: datetime
) -> statistics_pb.WebhookStatistics:
    """The message for what came of the attempts to a webhook."""
    since = window.since(now)
    whole = sum(parts, Counts())
    due_for = now - (queue.oldest_due_at or now)
    return statistics_pb.WebhookStatistics(
        webhook_id=str(row.id),
        since=timestamp(since),
        until=timestamp(now),
        attempt_count=whole.attempts,
        accepted_count=whole.accepted,
        success_ratio=whole.accepted / whole.attempts if whole.attempts else None,
        latency=_latency(whole),
        pending_count=queue.pending,
        lag_seconds=max(0, int(due_for.total_seconds())) if row.enabled else 0,
        events_waiting=row.behind_since is not None,
        last_accepted_at=timestamp(queue.last_accepted_at),
        last_failed_at=timestamp(queue.last_failed_at),
        buckets=[
            statistics_pb.StatisticsBucket(
                since=timestamp(since + window.step * place),
                attempt_count=part.attempts,
                accepted_count=part.accepted,
                latency=_latency(part),
            )
            for place, part in enumerate(parts)
        ],
    )


def _latency(counts: Counts) -> statistics_pb.Latency | None:
    if not any(counts.responses):
        return None
    median, p95, p99 = percentiles(counts.responses, (0.5, 0.95, 0.99))
    return statistics_pb.Latency(median_ms=median, p95_ms=p95, p99_ms=p99)
