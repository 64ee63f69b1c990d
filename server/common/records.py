"""What every call may write, whatever its feature: events, the audit log, kept answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.call import Records
from portico_kit.storage.audit import AuditRecord
from portico_kit.storage.base import Base
from portico_kit.storage.idempotency import KeptAnswer
from portico_kit.storage.outbox import OutboxEvent

_PENDING = text("fanned_out_at is null")


class Event(OutboxEvent, Base):
    """Something that happened, to be sent to the webhooks of an organization."""

    __tablename__ = "events"

    __table_args__ = (
        Index("ix_events_pending", "created_at", postgresql_where=_PENDING),
        # The same by organization, so that the workers can take turns among them.
        Index("ix_events_queue", "organization_id", "created_at", postgresql_where=_PENDING),
        Index("ix_events_organization_id_created_at", "organization_id", "created_at"),
    )


class AuditEntry(AuditRecord, Base):
    """One change."""

    __tablename__ = "audit_log"

    __table_args__ = (
        Index("ix_audit_log_organization_id_created_at", "organization_id", "created_at"),
        Index("ix_audit_log_actor_id_created_at", "actor_id", "created_at"),
    )


class IdempotentAnswer(KeptAnswer, Base):
    """The answer that a repetition of the same call gets."""

    __tablename__ = "idempotency_keys"

    __table_args__ = (
        Index("ix_idempotency_keys_expires_at", "expires_at"),
        CheckConstraint(
            "ended_access in ('session', 'membership', 'permission')", name="ended_access"
        ),
    )


# What a call writes with `record` and `emit`.
RECORDS = Records(event=Event, audit_entry=AuditEntry)


def record_by_worker(
    db: AsyncSession,
    action: str,
    *,
    organization_id: UUID,
    target_id: UUID,
    data: dict[str, Any],
    now: datetime,
) -> None:
    """Writes the audit log and the event of what no call did; see `Call.record`.

    Args:
        data: the resource as the contract shows it, without its sensitive fields.
    """
    db.add(
        AuditEntry(
            organization_id=organization_id,
            actor_kind="service",
            actor_id=None,
            action=action,
            target_id=target_id,
            details=data,
            client_address="",
            request_id="",
        )
    )
    db.add(Event(organization_id=organization_id, type=action, data=data, created_at=now))
