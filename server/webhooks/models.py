"""Webhooks, and the deliveries and attempts that come of them, as rows."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from server.kit.db import Base, Identified, Timestamped, Versioned
from server.webhooks.errors import DeliveryPendingError

# Stands in a webhook's event types for every type, also for those yet to come.
ALL_EVENTS = "*"

PENDING = "pending"
DELIVERED = "delivered"
FAILED = "failed"


class Webhook(Identified, Timestamped, Versioned, Base):
    """An address that is told of an organization's events."""

    __tablename__ = "webhooks"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    url: Mapped[str] = mapped_column(String(2000))
    event_types: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    description: Mapped[str] = mapped_column(String(500))
    enabled: Mapped[bool] = mapped_column(default=True)
    # Encrypted and not hashed: signing a delivery needs the secret itself.
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012
    __table_args__ = (
        Index("ix_webhooks_organization_id_id", "organization_id", "id"),
        CheckConstraint("cardinality(event_types) > 0", name="has_event_types"),
    )

    def wants(self, event_type: str) -> bool:
        """Whether an event of this type is told to the webhook."""
        return self.enabled and bool({ALL_EVENTS, event_type} & set(self.event_types))


class Delivery(Identified, Base):
    """One event on its way to one webhook. Its id is the webhook-id of every attempt."""

    __tablename__ = "deliveries"

    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    # No foreign key: a delivery carries all that it needs, and may outlive its event.
    event_id: Mapped[UUID]
    event_type: Mapped[str] = mapped_column(String(64))
    # The exact text that is posted, for the signature covers each byte of it.
    payload: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16), default=PENDING)
    attempt_count: Mapped[int] = mapped_column(default=0)
    # How many attempts of the retry schedule are used up; a redelivery starts it anew.
    schedule_position: Mapped[int] = mapped_column(default=0)
    # Due from this moment on; None once it has ended, well or not.
    next_attempt_at: Mapped[datetime | None]
    # While a worker is at it. One that dies leaves a claim that runs out by itself.
    claimed_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    delivered_at: Mapped[datetime | None]

    __table_args__ = (
        # An event that is fanned out twice makes no second delivery.
        UniqueConstraint("webhook_id", "event_id"),
        Index(
            "ix_deliveries_due",
            "next_attempt_at",
            postgresql_where=text("next_attempt_at is not null"),
        ),
        Index("ix_deliveries_webhook_id_id", "webhook_id", "id"),
        Index("ix_deliveries_webhook_id_status_id", "webhook_id", "status", "id"),
        CheckConstraint("status in ('pending', 'delivered', 'failed')", name="status_is_known"),
        CheckConstraint(
            "(status = 'pending') = (next_attempt_at is not null)", name="pending_has_next_attempt"
        ),
    )

    def redeliver(self, now: datetime) -> None:
        """Sends the delivery once more, with the whole retry schedule before it.

        Raises:
            DeliveryPendingError: if it has not ended yet.
        """
        if self.status == PENDING:
            raise DeliveryPendingError
        self.status = PENDING
        self.schedule_position = 0
        self.next_attempt_at = now
        self.claimed_until = None
        self.delivered_at = None


class Attempt(Base):
    """One try to deliver, and what came of it."""

    __tablename__ = "attempts"

    delivery_id: Mapped[UUID] = mapped_column(
        ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True
    )
    # 1 for the first; it goes on counting through redeliveries.
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    started_at: Mapped[datetime]
    duration_ms: Mapped[int]
    # None if the receiver gave no answer; then `error` says why.
    response_status: Mapped[int | None]
    # The first 2 KB of the answer, as text that PostgreSQL can hold (no NUL).
    response_body: Mapped[str] = mapped_column(Text, default="")
    error: Mapped[str] = mapped_column(String(500), default="")
