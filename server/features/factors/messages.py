"""Factors as the contract shows them."""

from __future__ import annotations

from portico.factors.v1.factor_pb2 import Factor as FactorMessage

from portico_kit.clock import timestamp
from server.features.factors.models import Factor


def factor(row: Factor) -> FactorMessage:
    """The message for a row."""
    return FactorMessage(
        id=str(row.id),
        type=row.kind,
        name=row.name,
        created_at=timestamp(row.created_at),
        last_used_at=timestamp(row.last_used_at),
    )


def event(row: Factor) -> FactorMessage:
    """The message for events, which says whose it is."""
    message = factor(row)
    message.user_id = str(row.user_id)
    return message
