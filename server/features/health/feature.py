"""Health: whether the core lives, and whether everything that it needs answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from server.feature import Feature, Probe, Served

if TYPE_CHECKING:
    from server.parts import CoreParts


def _probes(parts: CoreParts) -> Mapping[str, Probe]:
    from server.features.health.probes import probes

    return probes(parts.engine, parts.redis, parts.authorize, parts.ratelimit)


def _serve(parts: CoreParts) -> Served:
    from importlib.metadata import version

    from portico.health.v1.health_service_pb2 import DESCRIPTOR

    from portico_kit.service import Service
    from server.features.health.service import HealthService

    service = HealthService(version("portico"), parts.probes)
    return Served(services=(Service(DESCRIPTOR.services_by_name["HealthService"], service),))


FEATURE = Feature(name="health", probes=_probes, serve=_serve)
