"""What the workers do for organizations."""

from __future__ import annotations

from collections.abc import Mapping

from server.feature import Job
from server.features.emails.facade import Mailer
from server.features.organizations.names import POLICY_NOTICES_TASK
from server.features.organizations.policy_notices import PolicyNotices
from server.parts import WorkerParts


def tasks(parts: WorkerParts) -> Mapping[str, Job]:
    """The jobs, by their tasks."""
    return {POLICY_NOTICES_TASK: PolicyNotices(parts.sessions, Mailer(parts.secrets), parts.clock)}
