"""The domain as the contract shows it."""

from __future__ import annotations

from portico.domains.v1 import domain_service_pb2 as pb

from portico_kit.clock import timestamp
from server.features.domains.models import Domain


def domain(row: Domain) -> pb.Domain:
    """The message for a row."""
    return pb.Domain(
        id=str(row.id),
        organization_id=str(row.organization_id),
        name=row.name,
        record_name=row.record_name,
        record_value=row.record_value,
        verified_at=timestamp(row.verified_at),
        created_at=timestamp(row.created_at),
    )
