"""Domains: what organizations have proven to be theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.common.roles import Role
from server.feature import Feature, Served, Tables

if TYPE_CHECKING:
    from server.parts import CoreParts

EVENTS = {
    "domain.created": "A domain was added to the organization; it is not verified yet.",
    "domain.deleted": "A domain was removed from the organization.",
    "domain.verified": "A DNS record has proven that a domain is the organization's.",
}


def _tables() -> Tables:
    from server.features.domains.models import CONSTRAINT_ERRORS, Domain

    return Tables(models=(Domain,), constraint_errors=CONSTRAINT_ERRORS)


def _provide(parts: CoreParts) -> None:
    from server.features.domains.dns import DnsTextRecords, TextRecords
    from server.features.domains.facade import Domains

    parts.provide(TextRecords, DnsTextRecords)
    parts.provide(Domains, lambda: Domains(parts.reads))


def _serve(parts: CoreParts) -> Served:
    from portico.domains.v1.domain_service_pb2 import DESCRIPTOR

    from portico_kit.service import Service
    from server.features.domains.dns import TextRecords
    from server.features.domains.service import DomainService
    from server.features.organizations.facade import Tenants

    service = DomainService(parts.get(TextRecords), parts.get(Tenants))
    return Served(services=(Service(DESCRIPTOR.services_by_name["DomainService"], service),))


FEATURE = Feature(
    name="domains",
    permissions={"domains:read": Role.VIEWER, "domains:write": Role.OWNER},
    events=EVENTS,
    tables=_tables,
    provide=_provide,
    serve=_serve,
)
