"""Resets as the contract shows them."""

from __future__ import annotations

from uuid import UUID

from portico.factor_resets.v1 import factor_reset_service_pb2 as pb

from portico_kit.clock import timestamp
from server.features.factor_resets.models import FactorReset

PENDING = "pending"
COMPLETED = "completed"
CANCELED = "canceled"


def reset(row: FactorReset, status: str, approved_by: UUID | None = None) -> pb.FactorReset:
    """The message for a row.

    Args:
        status: "pending", "completed" or "canceled".
        approved_by: the administrator who agreed.
    """
    return pb.FactorReset(
        id=str(row.id),
        user_id=str(row.user_id),
        requested_by=str(row.requested_by),
        approved_by=str(approved_by or ""),
        status=status,
        requested_at=timestamp(row.requested_at),
        due_at=timestamp(row.due_at),
    )
