"""Replays, and the deliveries that they have under way, as rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base, Identified, Timestamped
from server.common.times import EVENTS_KEPT, KEPT
from server.features.webhooks.errors import ReplayEndedError, ReplayRunningError
from server.features.webhooks.models import Webhook

# Which events are sent: those whose delivery failed, those without a delivery, or both and
# those that were delivered.
FAILED_EVENTS = "failed"
MISSING_EVENTS = "missing"
ALL_PAST_EVENTS = "all"

PENDING = "pending"
RUNNING = "running"
SUCCEEDED = "succeeded"
CANCELLED = "cancelled"
FAILED = "failed"

EXPIRED = "expired"

DEFAULT_RATE = 50
# The oldest event of a replay is kept for so long after its start: beyond that, events
# would be left out without a word.
LIFETIME = EVENTS_KEPT - KEPT

_ACTIVE = text("state in ('pending', 'running')")


class Replay(Identified, Timestamped, Base):
    """What is to be sent again, and how far that has come."""

    __tablename__ = "replays"

    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    status: Mapped[str] = mapped_column(String(16))
    event_types: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    since: Mapped[datetime]
    until: Mapped[datetime]
    max_per_second: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default=PENDING)
    failure_reason: Mapped[str] = mapped_column(String(32), default="")
    # Numbers of events in their organization: the first that is examined, the last, and the
    # one that was examined so far. None before it has begun: then the last is before the first.
    first: Mapped[int] = mapped_column(BigInteger, default=1)
    last: Mapped[int] = mapped_column(BigInteger, default=0)
    position: Mapped[int] = mapped_column(BigInteger, default=0)
    found: Mapped[int] = mapped_column(BigInteger, default=0)
    done: Mapped[int] = mapped_column(BigInteger, default=0)
    failed: Mapped[int] = mapped_column(BigInteger, default=0)
    # When a worker looks at it again.
    next_step_at: Mapped[datetime]
    # Until when the deliveries that were started use up the rate.
    paced_until: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_replays_active", "webhook_id", unique=True, postgresql_where=_ACTIVE),
        Index("ix_replays_due", "next_step_at", postgresql_where=_ACTIVE),
        Index("ix_replays_webhook_id_id", "webhook_id", "id"),
        CheckConstraint("status in ('failed', 'missing', 'all')", name="status_is_known"),
        CheckConstraint(
            "state in ('pending', 'running', 'succeeded', 'cancelled', 'failed')",
            name="state_is_known",
        ),
        CheckConstraint(
            "(state in ('pending', 'running')) = (ended_at is null)", name="active_has_no_end"
        ),
    )

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None

    @property
    def examined_all(self) -> bool:
        """Whether each event had its turn."""
        return self.state != PENDING and self.position >= self.last

    def begin(self, first: int, last: int) -> None:
        """Starts with the events of these numbers; none if the last is before the first."""
        self.state = RUNNING
        self.first = first
        self.position = first - 1
        self.last = max(last, first - 1)

    def cancel(self, now: datetime) -> None:
        """Sends nothing more.

        Raises:
            ReplayEndedError: if it has ended.
        """
        if not self.active:
            raise ReplayEndedError
        self._end(CANCELLED, now)

    def succeed(self, now: datetime) -> None:
        """Every event that was found has been sent or given up."""
        self._end(SUCCEEDED, now)

    def fail(self, reason: str, now: datetime) -> None:
        """Ends before everything was sent."""
        self.failure_reason = reason
        self._end(FAILED, now)

    def allowance(self, now: datetime) -> int:
        """How many deliveries the rate allows now: what a second allows, at the most."""
        unused = now - max(self.paced_until, now - timedelta(seconds=1))
        return max(0, unused // self._interval)

    def use(self, count: int, now: datetime) -> None:
        """Counts deliveries that were started."""
        self.found += count
        start = max(self.paced_until, now - timedelta(seconds=1))
        self.paced_until = start + count * self._interval

    @property
    def allowed_at(self) -> datetime:
        """When the rate allows another delivery."""
        return self.paced_until + self._interval

    @property
    def _interval(self) -> timedelta:
        return timedelta(seconds=1) / self.max_per_second

    def covers_what_was_missed(self, webhook: Webhook) -> bool:
        """Whether it sent all that the webhook missed while it was disabled."""
        since, until = webhook.missed_since, webhook.missed_until
        if since is None or until is None or self.event_types or self.status == FAILED_EVENTS:
            return False
        # What is older cannot be sent.
        return self.since <= max(since, self.created_at - KEPT) and self.until >= until

    def _end(self, state: str, now: datetime) -> None:
        self.state = state
        self.ended_at = now


class ReplayedDelivery(Base):
    """A delivery that a replay has under way. Once it has ended, it is counted and the row goes."""

    __tablename__ = "replayed_deliveries"

    replay_id: Mapped[UUID] = mapped_column(
        ForeignKey("replays.id", ondelete="CASCADE"), primary_key=True
    )
    # No foreign key: nothing is looked up to delete a delivery.
    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)


CONSTRAINT_ERRORS = {"uq_replays_active": ReplayRunningError}
