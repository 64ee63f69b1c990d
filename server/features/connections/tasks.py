"""What the workers do for connections."""

from __future__ import annotations

from collections.abc import Mapping

from server.common.outbound_addresses import AddressPolicy
from server.feature import Job
from server.features.connections.names import REGISTRATIONS_TASK
from server.features.connections.registration_upkeep import RegistrationUpkeep
from server.features.emails.facade import Mailer
from server.parts import WorkerParts


def tasks(parts: WorkerParts) -> Mapping[str, Job]:
    """The jobs, by their tasks."""
    settings = parts.settings
    upkeep = RegistrationUpkeep(
        sessions=parts.sessions,
        secrets=parts.secrets,
        mailer=Mailer(parts.secrets),
        clock=parts.clock,
        policy=AddressPolicy(allow_loopback=settings.webhook_allow_loopback),
        public_url=settings.public_url.rstrip("/"),
        product_name=settings.product_name,
    )
    return {REGISTRATIONS_TASK: upkeep}
