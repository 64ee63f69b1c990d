"""What the workers do for webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

from portico_kit.clock import Clock
from portico_kit.edge_state.event_feed import EventAnnouncer
from portico_kit.tasks.names import EVENT_TASK
from server.common.outbound_addresses import AddressPolicy
from server.feature import Job
from server.features.webhooks.delivery.backlog import Backlog
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery_queue import AttemptResult
from server.features.webhooks.names import BACKLOG_TASK, DELIVERY_TASK
from server.parts import WorkerParts

if TYPE_CHECKING:
    from server.features.webhooks.delivery.http import WebhookClient

# How long deliveries under way may take to finish when a worker stops.
PATIENCE_SECONDS = 8.0


class LaterClient:
    """The HTTP client, loaded with the first delivery: a platform without one saves 13 MB."""

    def __init__(self, policy: AddressPolicy, clock: Clock, user_agent: str) -> None:
        self._arguments = (policy, clock, user_agent)
        self._client: WebhookClient | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> AttemptResult:
        """See `WebhookClient.post`."""
        if self._client is None:
            from server.features.webhooks.delivery.http import WebhookClient

            self._client = WebhookClient(*self._arguments)
        return await self._client.post(url, body, headers)

    async def close(self) -> None:
        """Closes the client, if there is one."""
        if self._client is not None:
            await self._client.close()


def tasks(parts: WorkerParts) -> Mapping[str, Job]:
    """The jobs, by their tasks. Deliveries under way may finish before the worker ends."""
    policy = AddressPolicy(allow_loopback=parts.settings.webhook_allow_loopback)
    client = LaterClient(policy, parts.clock, f"Portico-Webhooks/{version('portico')}")
    deliverer = Deliverer(parts.sessions, client, parts.secrets, parts.clock)
    parts.on_close.extend((lambda: deliverer.close(PATIENCE_SECONDS), client.close))
    return {
        EVENT_TASK: EventFanOut(
            *(parts.sessions, parts.clock, deliverer.deliver),
            EventAnnouncer(parts.redis).announce,
        ),
        DELIVERY_TASK: deliverer.deliver_due,
        BACKLOG_TASK: Backlog(parts.sessions, parts.clock, deliverer.deliver),
    }
