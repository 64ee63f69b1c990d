"""What the workers do for webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from portico_kit.tasks.names import EVENT_TASK
from server.common.outbound_addresses import AddressPolicy
from server.feature import Job
from server.features.webhooks.delivery.backlog import Backlog
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery.http import WebhookClient
from server.features.webhooks.names import BACKLOG_TASK, DELIVERY_TASK
from server.parts import WorkerParts

# How long deliveries under way may take to finish when a worker stops.
PATIENCE_SECONDS = 8.0


def tasks(parts: WorkerParts) -> Mapping[str, Job]:
    """The jobs, by their tasks. Deliveries under way may finish before the worker ends."""
    policy = AddressPolicy(allow_loopback=parts.settings.webhook_allow_loopback)
    client = WebhookClient(policy, parts.clock, f"Portico-Webhooks/{version('portico')}")
    deliverer = Deliverer(parts.sessions, client, parts.secrets, parts.clock)
    parts.on_close.extend((lambda: deliverer.close(PATIENCE_SECONDS), client.close))
    return {
        EVENT_TASK: EventFanOut(parts.sessions, parts.clock, deliverer.deliver, deliverer),
        DELIVERY_TASK: deliverer.deliver_due,
        BACKLOG_TASK: Backlog(parts.sessions, parts.clock, deliverer.deliver),
    }
