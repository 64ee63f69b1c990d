"""Webhooks, and the deliveries and attempts that come of them, as rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base, Identified, Timestamped, Versioned
from server.common.event_names import OTHER_NAMES
from server.common.records import Event
from server.common.times import KEPT
from server.features.webhooks.errors import (
    DeliveryBlockedError,
    DeliveryInProgressError,
    DeliveryNotPendingError,
    DeliveryPendingError,
)
from server.features.webhooks.schedules import STANDARD, Schedule
from server.features.webhooks.signing_keys import V1, KeyPair, PublicKeys

# Stands in a webhook's event types for every type that belongs to an organization, also for
# those yet to come.
ALL_EVENTS = "*"

# Why a webhook is disabled: a caller asked for it, its receiver answered 410 Gone, or it has
# accepted nothing for days.
REQUESTED = "requested"
GONE = "gone"
FAILING = "failing"

DISABLED_EVENT = "webhook.disabled"
# Warns of the last of these. The webhook that it is about would fail at it, too.
FAILING_EVENT = "webhook.failing"

# What attempts are counted by, see `WebhookStatistics`.
PART = timedelta(minutes=5)

# How long an attempt may take if its webhook does not say.
DEFAULT_TIMEOUT_SECONDS = 10

PENDING = "pending"
DELIVERED = "delivered"
FAILED = "failed"

# What is delivered in the order of the events: nothing, all, or what has the same value in
# the field `order_by`.
UNORDERED = "none"
BY_WEBHOOK = "webhook"
BY_FIELD = "field"
# When the next attempt is made while others of an ordered webhook go first. PostgreSQL's own
# "infinity" is no datetime.
BLOCKED = datetime(9999, 1, 1, tzinfo=UTC)


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
    # Since when it is disabled, and why (REQUESTED, GONE or FAILING); None and "" while it is
    # enabled.
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str] = mapped_column(String(32), default="", server_default=text("''"))
    # When the owners last had a mail about it.
    disabled_mail_at: Mapped[datetime | None]
    # Which events of its types it is sent, see filters.py; None for all.
    filter: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    # While it was disabled before, until a replay has sent what it missed.
    missed_since: Mapped[datetime | None]
    missed_until: Mapped[datetime | None]
    # What the workers know of the receiver: since when no attempt was accepted, and since
    # when its answers take long. A healthy webhook has neither.
    failing_since: Mapped[datetime | None]
    slow_since: Mapped[datetime | None]
    # The last warning about its failing, in percent of the time that it is given (0 for none),
    # and when it is disabled at the earliest; see `failing`.
    failing_step: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    disables_at: Mapped[datetime | None]
    # While so many deliveries are pending that new events wait in the event log: events
    # that were created before this moment have their delivery.
    behind_since: Mapped[datetime | None]
    # Attempts in a second and at the same time; None for as many as there are.
    max_per_second: Mapped[int | None]
    max_in_flight: Mapped[int | None]
    ordering: Mapped[str] = mapped_column(
        String(16), default=UNORDERED, server_default=text("'none'")
    )
    # The path of a field, if the order is BY_FIELD; else "".
    order_by: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"))
    # When to try again; the pauses in seconds, None for the standard schedule.
    retry_schedule: Mapped[str] = mapped_column(
        String(16), default=STANDARD, server_default=text("'standard'")
    )
    retry_pauses: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    # How long an attempt may take; None for what is usual.
    timeout_seconds: Mapped[int | None]
    # Sent beside the headers of the platform. The names are there twice: to be shown, and
    # sealed with their values, see custom_headers.py.
    header_names: Mapped[list[str]] = mapped_column(
        ARRAY(String(128)), default=list, server_default=text("'{}'")
    )
    sealed_headers: Mapped[bytes | None] = mapped_column(LargeBinary)
    # With the secret, with the key pair or with both; the pair is made when it is first needed.
    signing: Mapped[str] = mapped_column(String(8), default=V1, server_default=text("'v1'"))
    public_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    sealed_private_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    # The pair before the last rotation; deliveries are signed with it too until it expires.
    previous_public_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    sealed_previous_private_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_key_expires_at: Mapped[datetime | None]

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
        CheckConstraint("ordering in ('none', 'webhook', 'field')", name="ordering_is_known"),
        CheckConstraint("(ordering = 'field') = (order_by <> '')", name="order_by_of_field"),
        CheckConstraint(
            "retry_schedule in ('standard', 'patient', 'custom')"
            " and (retry_schedule = 'standard') = (retry_pauses is null)",
            name="schedule_is_known",
        ),
        CheckConstraint("timeout_seconds between 1 and 30", name="timeout_is_bounded"),
        CheckConstraint(
            "signing in ('v1', 'v1a', 'both') and (signing = 'v1' or public_key is not null)",
            name="signing_has_key",
        ),
    )

    @property
    def ordered(self) -> bool:
        """Whether some of its deliveries wait for others."""
        return self.ordering != UNORDERED

    @property
    def limited(self) -> bool:
        """Whether there is a limit to its attempts."""
        return self.max_per_second is not None or self.max_in_flight is not None

    @property
    def paced(self) -> bool:
        """Whether its deliveries do not simply leave as soon as they can."""
        return self.ordered or self.limited

    @property
    def schedule(self) -> Schedule:
        """When deliveries are tried again."""
        return Schedule(self.retry_schedule or STANDARD, self.retry_pauses)

    @property
    def public_keys(self) -> PublicKeys:
        """What verifies deliveries that are signed with the key pair."""
        return PublicKeys(
            self.id, self.public_key, self.previous_public_key, self.previous_key_expires_at
        )

    def wants(self, event: Event) -> bool:
        """Whether the webhook subscribes to an event; its filter may still leave it out."""
        if not self.enabled or self.type_for(event) is None:
            return False
        return event.type != FAILING_EVENT or event.data.get("id") != str(self.id)

    def type_for(self, event: Event) -> str | None:
        """The name under which an event is sent to the webhook; None if it subscribes to none."""
        if subscribes(self.event_types, event):
            return event.type
        other = OTHER_NAMES.get(event.type)
        return other if other in self.event_types else None

    def takes(self, event: Event) -> bool:
        """Whether an event becomes a delivery now, and not when the webhook catches up."""
        return self.behind_since is None and self.wants(event)

    def enable(self, now: datetime) -> None:
        """Sends events again, those that wait first. What happened meanwhile can be replayed."""
        if self.missed_until is None or self.missed_until < now - KEPT:
            self.missed_since = self.disabled_at
        self.missed_until = now
        self.enabled = True
        self.disabled_at = None
        self.disabled_reason = ""
        self.forget_failures()

    def move(self, url: str) -> None:
        """Sends events to another URL; what failed at the one before says nothing about it."""
        if url != self.url:
            self.url = url
            self.forget_failures()

    def forget_failures(self) -> None:
        """Gives the receiver the whole time again until it counts as dead."""
        self.failing_since = None
        self.failing_step = 0
        self.disables_at = None

    def has_missed(self, now: datetime) -> bool:
        """Whether it was disabled before, and what it missed then can still be sent."""
        return self.missed_until is not None and now - KEPT < self.missed_until

    def disable(self, reason: str, now: datetime) -> None:
        """Sends nothing until it is enabled again; what is pending waits.

        Args:
            reason: `REQUESTED`, `GONE` or `FAILING`.
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

    def set_key_pair(self, pair: KeyPair) -> None:
        """Signs with this key pair, if it signs with any."""
        self.public_key, self.sealed_private_key = pair.public, pair.sealed

    def replace_key_pair(self, pair: KeyPair, now: datetime, overlap: timedelta) -> None:
        """Signs with a new key pair from now on; see `replace_secret`."""
        kept = bool(overlap) and self.public_key is not None
        self.previous_public_key = self.public_key if kept else None
        self.sealed_previous_private_key = self.sealed_private_key if kept else None
        self.previous_key_expires_at = now + overlap if kept else None
        self.set_key_pair(pair)


def subscribes(event_types: Collection[str], event: Event) -> bool:
    """Whether an event is of some types, as webhooks name them."""
    names = {event.type} if event.platform else {event.type, ALL_EVENTS}
    return not names.isdisjoint(event_types)


class Delivery(Identified, Base):
    """One event on its way to one webhook. Its id is the webhook-id of every attempt."""

    __tablename__ = "deliveries"

    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    # That of the webhook, and so without a foreign key of its own; its event may be of another.
    organization_id: Mapped[UUID]
    # No foreign key: an event is kept for longer, and nothing is looked up to delete it.
    event_id: Mapped[UUID]
    event_type: Mapped[str] = mapped_column(String(64))
    # What is posted, if it is not made from the event: of a test, which is no event, and of
    # deliveries from before.
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
    # Of an ordered webhook: the line that it stands in, and the number of its event there.
    # None for all others.
    ordering_key: Mapped[int | None] = mapped_column(BigInteger)
    ordering_sequence: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        # An event that is fanned out twice makes no second delivery.
        UniqueConstraint("webhook_id", "event_id"),
        # Each webhook has a queue of its own; the workers go from one to the next.
        Index(
            "ix_deliveries_queue",
            "webhook_id",
            "next_attempt_at",
            postgresql_where=text("next_attempt_at is not null"),
        ),
        # The lines of ordered webhooks.
        Index(
            "ix_deliveries_lines",
            "webhook_id",
            "ordering_key",
            "ordering_sequence",
            postgresql_where=text("ordering_key is not null and next_attempt_at is not null"),
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

        It goes out of turn: its place in the order has passed.

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
        self.ordering_key = self.ordering_sequence = None

    def retry(self, now: datetime) -> None:
        """Makes the next attempt due, and leaves the rest of the schedule as it is.

        Raises:
            DeliveryNotPendingError: if it has ended.
            DeliveryInProgressError: if a worker is at it.
            DeliveryBlockedError: if others go first.
        """
        self._require_idle(now)
        if self.blocked:
            raise DeliveryBlockedError
        self.next_attempt_at = now

    def skip(self, now: datetime) -> None:
        """Gives it up.

        Raises:
            DeliveryNotPendingError: if it has ended.
            DeliveryInProgressError: if a worker is at it: the next one must not be sent
                beside it.
        """
        self._require_idle(now)
        self.status = FAILED
        self.next_attempt_at = None
        self.claimed_until = None

    @property
    def blocked(self) -> bool:
        """Whether others of its webhook go first."""
        return self.next_attempt_at == BLOCKED

    def held_back(self, now: datetime) -> bool:
        """Whether it is due, and no worker is at it."""
        due = self.next_attempt_at is not None and self.next_attempt_at <= now
        return due and not self._in_progress(now)

    def _require_idle(self, now: datetime) -> None:
        if self.status != PENDING:
            raise DeliveryNotPendingError
        if self._in_progress(now):
            raise DeliveryInProgressError

    def _in_progress(self, now: datetime) -> bool:
        return self.claimed_until is not None and self.claimed_until > now


class WebhookPace(Base):
    """What a webhook with limits has used of them. Without a row it has used nothing."""

    __tablename__ = "webhook_paces"

    webhook_id: Mapped[UUID] = mapped_column(
        ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True
    )
    # When the next attempt may begin.
    next_slot_at: Mapped[datetime]
    # Deliveries that were claimed. Those whose claim is over are no longer counted.
    in_flight: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))


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


class WebhookStatistics(Base):
    """What came of the attempts to a webhook that began within a `PART`."""

    __tablename__ = "webhook_statistics"

    webhook_id: Mapped[UUID] = mapped_column(
        ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True
    )
    # The beginning of the part.
    started_at: Mapped[datetime] = mapped_column(primary_key=True)
    attempt_count: Mapped[int]
    accepted_count: Mapped[int]
    last_accepted_at: Mapped[datetime | None]
    last_failed_at: Mapped[datetime | None]
    # Responses by how long they took, see `latency`.
    responses: Mapped[list[int]] = mapped_column(ARRAY(Integer))

    __table_args__ = (Index("ix_webhook_statistics_started_at", "started_at"),)
