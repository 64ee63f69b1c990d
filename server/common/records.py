"""What every call may write, whatever its feature: events, the audit log, kept answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from psycopg.types.json import Jsonb
from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Index,
    SQLColumnExpression,
    String,
    Uuid,
    bindparam,
    column,
    func,
    insert,
    literal,
    select,
    text,
    true,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from portico_contract import as_json, redacted
from portico_kit.call import Call, Records
from portico_kit.credentials import Principal
from portico_kit.ids import new_id
from portico_kit.storage.audit import AuditRecord
from portico_kit.storage.base import Base
from portico_kit.storage.idempotency import KeptAnswer
from portico_kit.storage.outbox import OutboxEvent
from portico_kit.storage.statements import Written, compiled
from portico_kit.tasks.names import EVENT_TASK

_PENDING = text("fanned_out_at is null")


class Event(OutboxEvent, Base):
    """Something that happened, to be sent to the webhooks of an organization."""

    __tablename__ = "events"

    __table_args__ = (
        Index("ix_events_pending", "created_at", postgresql_where=_PENDING),
        # The same by organization, so that the workers can take turns among them.
        Index("ix_events_queue", "organization_id", "created_at", postgresql_where=_PENDING),
        Index("ix_events_organization_id_created_at", "organization_id", "created_at"),
        Index(
            "ix_events_organization_id_sequence",
            "organization_id",
            "sequence",
            unique=True,
            postgresql_where=text("sequence is not null"),
        ),
    )


class EventSequence(Base):
    """The last number that an event of an organization was given."""

    __tablename__ = "event_sequences"

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)
    # The transaction that gave it, for who asks which organizations have new events.
    changed_in: Mapped[int] = mapped_column(BigInteger, server_default=text("0"), index=True)


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


# Its parameters are called as the columns of the audit log; the rest of a row has a default.
_ADD_ENTRY = compiled(
    insert(AuditEntry).values(
        {
            name: bindparam(name)
            for name in (
                "id",
                "organization_id",
                "actor_kind",
                "actor_id",
                "action",
                "target_id",
                "details",
                "client_address",
                "request_id",
            )
        }
    )
)


def _audit_entry(*, details: Mapping[str, Any], **values: Any) -> Written:
    """A row of the audit log. Each call that changes something writes one: it passes no ORM."""
    return Written(_ADD_ENTRY, {"id": new_id(), "details": Jsonb(details), **values})


# Of many rows so many are named to those who keep streams open; the others are found later.
MOST_CONCERNED = 1000

# What a call writes with `record` and `emit`.
RECORDS = Records(event=Event, audit_entry=_audit_entry)


def record_by_worker(
    db: AsyncSession,
    action: str,
    *,
    organization_id: UUID,
    target_id: UUID,
    data: Message,
    now: datetime,
) -> None:
    """Writes the audit log and the event of what no call did; see `Call.record`.

    Args:
        data: the resource as the contract shows it.
    """
    db.add(
        AuditEntry(
            organization_id=organization_id,
            actor_kind="service",
            actor_id=None,
            action=action,
            target_id=target_id,
            details=redacted(data),
            client_address="",
            request_id="",
        )
    )
    db.add(Event(organization_id=organization_id, type=action, data=as_json(data), created_at=now))


async def record_each(
    call: Call,
    action: str,
    targets: Sequence[UUID],
    target: InstrumentedAttribute[UUID],
    *,
    details: SQLColumnExpression[Any],
    data: SQLColumnExpression[Any],
    actor: Principal | None = None,
) -> None:
    """Writes the audit log and the events about many rows of a table; see `Call.record`.

    For what belongs to no organization. However many rows there are, it is a statement for
    the entries and one for the events, and the database makes what they say.

    Args:
        targets: the ids of the rows.
        target: the column of these ids.
        details: the row as the audit log shows it, an expression of its columns.
        data: the row as the event shows it.
        actor: who did it, if it is not the call's principal.
    """
    if not targets:
        return
    who = actor or call.principal
    entry: dict[str, SQLColumnExpression[Any]] = {
        "actor_kind": literal(who.kind, String()),
        "actor_id": literal(who.id, Uuid()),
        "action": literal(action, String()),
        "target_id": target,
        "details": details,
        "client_address": literal(call.client.address, String()),
        "request_id": literal(call.request_id, String()),
    }
    await _insert_each(call.db, AuditEntry, targets, target, entry)
    call.concern(action, None, who.id, *targets[:MOST_CONCERNED])
    receiver = call.event_receiver(action, None)
    if receiver is not None:
        event: dict[str, SQLColumnExpression[Any]] = {
            "organization_id": literal(receiver, Uuid()),
            "type": literal(action, String()),
            "platform": true(),
            "data": data,
        }
        await _insert_each(call.db, Event, targets, target, event)
        call.tasks.add(EVENT_TASK)


async def _insert_each(
    db: AsyncSession,
    model: type[Base],
    targets: Sequence[UUID],
    target: InstrumentedAttribute[UUID],
    values: Mapping[str, SQLColumnExpression[Any]],
) -> None:
    """Inserts a row for each target, with an id of its own."""
    ids = func.unnest(
        literal([new_id() for _ in targets], ARRAY(Uuid())), literal([*targets], ARRAY(Uuid()))
    ).table_valued(column("id", Uuid()), column("target_id", Uuid()), name="new")
    new = ids.render_derived()
    rows = select(new.c.id, *values.values()).join(target.class_, target == new.c.target_id)
    await db.execute(
        insert(model).from_select(["id", *values], rows, include_defaults=False),
        execution_options={"synchronize_session": False},
    )
