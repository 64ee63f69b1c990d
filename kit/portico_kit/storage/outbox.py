"""What must not be lost: events and mails, as rows in the transaction that caused them.

A worker picks the rows up after the commit. Waking it is a courtesy; a sweep
finds what was missed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base, Identified


class Event(Identified, Base):
    """Something that happened in an organization, to be told to its webhooks."""

    __tablename__ = "events"

    organization_id: Mapped[UUID]
    type: Mapped[str] = mapped_column(String(64))
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # Set when the deliveries exist, in the same transaction as they.
    fanned_out_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_events_pending", "created_at", postgresql_where=text("fanned_out_at is null")),
        # The same by organization, so that the workers can take turns among them.
        Index(
            "ix_events_queue",
            "organization_id",
            "created_at",
            postgresql_where=text("fanned_out_at is null"),
        ),
        Index("ix_events_organization_id_created_at", "organization_id", "created_at"),
    )


class Email(Identified, Base):
    """A mail to send. What it says is sealed, for it may hold a token, and wiped once sent."""

    __tablename__ = "emails"

    recipient: Mapped[str] = mapped_column(String(254))
    template: Mapped[str] = mapped_column(String(64))
    sealed_variables: Mapped[bytes | None] = mapped_column(LargeBinary)
    attempt_count: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # Due from this moment on; None when it was sent or given up.
    next_attempt_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(String(500))

    __table_args__ = (
        Index(
            "ix_emails_due",
            "next_attempt_at",
            postgresql_where=text("next_attempt_at is not null"),
        ),
    )


EMAIL_PURPOSE = "email"
