"""What the workers do for applications."""

from __future__ import annotations

from collections.abc import Mapping

from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from server.common.outbound_addresses import AddressPolicy
from server.common.outbound_json import JsonClient
from server.feature import Job
from server.features.applications.logos import LogoFetcher
from server.features.applications.names import LOGOS_TASK
from server.parts import WorkerParts


def tasks(parts: WorkerParts) -> Mapping[str, Job]:
    """The jobs, by their tasks."""
    policy = AddressPolicy(allow_loopback=parts.settings.webhook_allow_loopback)
    client = JsonClient(policy)
    parts.on_close.append(client.close)
    fetcher = LogoFetcher(parts.sessions, client, CacheInvalidator(parts.redis), parts.clock)
    return {LOGOS_TASK: fetcher}
