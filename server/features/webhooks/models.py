"""Webhooks, and the deliveries and attempts that come of them, as rows."""

from __future__ import annotations

from datetime import datetime, timedelta
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
    false,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base, Identified, Timestamped, Versioned
from server.common.event_names import OTHER_NAMES
from server.common.records import Event
from server.features.webhooks.errors import DeliveryPendingError

# Stands in a webhook's event types for every type that belongs to an organization, also for
# those yet to come.
ALL_EVENTS = "*"

# Why a webhook is disabled: a caller asked for it, or its receiver answered 410 Gone.
REQUESTED = "requested"
GONE = "gone"

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
    # Whether it is sent the events of all organizations: a webhook of the platform's operator.
    all_organizations: Mapped[bool] = mapped_column(default=False, server_default=false())
    enabled: Mapped[bool] = mapped_column(default=True)
    # Encrypted and not hashed: signing a delivery needs the secret itself.
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    # The secret before the last rotation; deliveries are signed with it too until it expires.
    sealed_previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_secret_expires_at: Mapped[datetime | None]
    # Since when it is disabled, and why (REQUESTED or GONE); None and "" while it is enabled.
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str] = mapped_column(String(32), default="", server_default=text("''"))
    # When the owners last had a mail about it.
    disabled_mail_at: Mapped[datetime | None]
    # What the workers know of the receiver: since when no attempt was accepted, and since
    # when its answers take long. A healthy webhook has neither.
    failing_since: Mapped[datetime | None]
    slow_since: Mapped[datetime | None]
    # While so many deliveries are pending that new events wait in the event log: events
    # that were created before this moment have their delivery.
    behind_since: Mapped[datetime | None]

    __mapper_args__ = {"version_id_col": Versioned.version}
    __table_args__ = (
        Index("ix_webhooks_organization_id_id", "organization_id", "id"),
        # The few that are looked after; the condition is that of `unwell`.
        Index(
            "ix_webhooks_unwell",
            "id",
            postgresql_where=text(
                "failing_since is not null or slow_since is not null or behind_since is not null"
            ),
        ),
        # The fan-out adds them to those of each organization.
        Index("ix_webhooks_all_organizations", "id", postgresql_where=text("all_organizations")),
        CheckConstraint("cardinality(event_types) > 0", name="has_event_types"),
    )

    def wants(self, event: Event) -> bool:
        """Whether an event is sent to the webhook."""
        return self.enabled and self.type_for(event) is not None

    def type_for(self, event: Event) -> str | None:
        """The name under which an event is sent to the webhook; None if it subscribes to none."""
        names = {event.type} if event.platform else {event.type, ALL_EVENTS}
        if not names.isdisjoint(self.event_types):
            return event.type
        other = OTHER_NAMES.get(event.type)
        return other if other in self.event_types else None

    def takes(self, event: Event) -> bool:
        """Whether an event becomes a delivery now, and not when the webhook catches up."""
        return self.behind_since is None and self.wants(event)

    def enable(self) -> None:
        """Sends events again, those that wait first."""
        self.enabled = True
        self.disabled_at = None
        self.disabled_reason = ""

    def disable(self, reason: str, now: datetime) -> None:
        """Sends nothing until it is enabled again; what is pending waits.

        Args:
            reason: `REQUESTED` or `GONE`.
        """
        self.enabled = False
        self.disabled_at = now
        self.disabled_reason = reason

    def replace_secret(self, sealed: bytes, now: datetime, overlap: timedelta) -> None:
        """Signs with a new secret from now on.

        Args:
            overlap: how long deliveries are signed with the one before, too. The
                one before that is dropped.
        """
        self.sealed_previous_secret = self.sealed_secret if overlap else None
        self.previous_secret_expires_at = now + overlap if overlap else None
        self.sealed_secret = sealed


class Delivery(Identified, Base):
    """One event on its way to one webhook. Its id is the webhook-id of every attempt."""

    __tablename__ = "deliveries"

    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    # That of the webhook; its event may be of another one.
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    # No foreign key: an event is kept for longer, and nothing is looked up to delete it.
    event_id: Mapped[UUID]
    event_type: Mapped[str] = mapped_column(String(64))
    # What is posted, of deliveries from before it was made from the event.
    payload: Mapped[str | None] = mapped_column(Text)
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
        # Each webhook has a queue of its own; the workers go from one to the next.
        Index(
            "ix_deliveries_queue",
            "webhook_id",
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
