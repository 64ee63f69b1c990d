"""Whether the core lives, and whether everything that it needs answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from portico.health.v1 import health_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.errors import DomainError
from portico_kit.status import StatusCode

PROBE_TIMEOUT = 1.0  # seconds

# A probe returns when its dependency answers and raises when it does not.
Probe = Callable[[], Awaitable[None]]


class NotReadyError(DomainError):
    """A part of the platform is unavailable; try again later."""

    code = StatusCode.UNAVAILABLE
    reason = "NOT_READY"

    def __init__(self, down: Mapping[str, str]) -> None:
        """Takes the state of each dependency that does not answer, by its name."""
        super().__init__(retry_after=timedelta(seconds=1))
        self.metadata.update(down)


@dataclass(frozen=True, slots=True)
class HealthService:
    """Serves portico.health.v1.HealthService.

    Attributes:
        probes: how each dependency is tried, by its name.
    """

    version: str
    probes: Mapping[str, Probe]

    async def GetHealth(self, request: pb.GetHealthRequest, call: Call) -> pb.GetHealthResponse:
        return pb.GetHealthResponse(status="ok", version=self.version)

    async def GetReadiness(
        self, request: pb.GetReadinessRequest, call: Call
    ) -> pb.GetReadinessResponse:
        tried = await asyncio.gather(*(_try(name, p) for name, p in self.probes.items()))
        down = {one.name: one.status for one in tried if one.status != "ok"}
        if down:
            raise NotReadyError(down)
        return pb.GetReadinessResponse(status="ok", dependencies=tried)


async def _try(name: str, probe: Probe) -> pb.Dependency:
    started, status = time.perf_counter(), "ok"
    try:
        await asyncio.wait_for(probe(), PROBE_TIMEOUT)
    except Exception:  # whatever it was, the dependency did not answer
        status = "unavailable"
    milliseconds = round((time.perf_counter() - started) * 1000, 2)
    return pb.Dependency(name=name, status=status, latency_ms=milliseconds)
