"""What the workers do for sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from portico_kit.clock import Clock
from server.feature import Job
from server.features.auth.names import SIGNING_KEYS_TASK
from server.features.auth.signing_keys import SigningKeys
from server.parts import WorkerParts

log = structlog.get_logger("auth")


@dataclass(frozen=True, slots=True)
class SigningKeyRotation:
    """Makes the next signing key if it is time."""

    signing_keys: SigningKeys
    clock: Clock

    async def __call__(self) -> None:
        """Looks at the newest key once."""
        if await self.signing_keys.rotate(self.clock()):
            log.info("signing_key_made")


def tasks(parts: WorkerParts) -> Mapping[str, Job]:
    """The jobs, by their tasks."""
    keys = SigningKeys(parts.engine, parts.secrets, parts.clock)
    return {SIGNING_KEYS_TASK: SigningKeyRotation(keys, parts.clock)}
