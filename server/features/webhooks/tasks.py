"""What the workers do for webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from importlib.metadata import version

from portico_kit.edge_state.event_feed import EventAnnouncer
from portico_kit.tasks.names import EVENT_TASK
from server.common.outbound_addresses import AddressPolicy
from server.feature import Job
from server.features.emails.facade import Mailer
from server.features.webhooks.delivery.attempt_statistics import AttemptStatistics
from server.features.webhooks.delivery.backlog import Backlog
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery.failing import FailingWebhooks
from server.features.webhooks.delivery.http import WebhookClient
from server.features.webhooks.names import BACKLOG_TASK, DELIVERY_TASK, FAILING_TASK, REPLAY_TASK
from server.features.webhooks.replays.replayer import Replayer
from server.parts import WorkerParts

# How long deliveries under way may take to finish when a worker stops.
PATIENCE_SECONDS = 8.0


def tasks(parts: WorkerParts) -> Mapping[str, Job]:
    """The jobs, by their tasks. Deliveries under way may finish before the worker ends."""
    policy = AddressPolicy(allow_loopback=parts.settings.webhook_allow_loopback)
    client = WebhookClient(policy, parts.clock, f"Portico-Webhooks/{version('portico')}")
    statistics = _statistics(parts)
    deliverer = Deliverer(parts.sessions, client, parts.secrets, parts.clock, statistics=statistics)
    replayer = Replayer(parts.sessions, parts.clock, deliverer.deliver)
    parts.on_close.extend((replayer.close, lambda: deliverer.close(PATIENCE_SECONDS), client.close))
    return {
        EVENT_TASK: EventFanOut(
            *(parts.sessions, parts.clock, deliverer.deliver, deliverer),
            EventAnnouncer(parts.redis).announce,
        ),
        DELIVERY_TASK: deliverer.deliver_due,
        BACKLOG_TASK: Backlog(parts.sessions, parts.clock, deliverer.deliver),
        FAILING_TASK: FailingWebhooks(
            parts.sessions,
            parts.clock,
            Mailer(parts.secrets),
            timedelta(seconds=parts.settings.webhook_failing_period),
        ),
        REPLAY_TASK: replayer,
    }


def _statistics(parts: WorkerParts) -> AttemptStatistics:
    """Counts attempts; for Prometheus as well, where it looks."""
    if parts.settings.worker_metrics_port is None:
        return AttemptStatistics(parts.sessions)
    # Imported here: the metrics take a megabyte.
    from server.features.webhooks.metrics import publish, watch

    parts.background.append(lambda: watch(parts.sessions, parts.clock))
    return AttemptStatistics(parts.sessions, publish)
