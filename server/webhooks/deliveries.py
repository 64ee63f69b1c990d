"""What the workers ask about deliveries: which are due, and what came of an attempt."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningUpdate

from server.kit.db import delete_batch
from server.kit.ids import earliest_id
from server.webhooks.models import DELIVERED, FAILED, PENDING, Attempt, Delivery, Webhook


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that one worker alone may send until the claim runs out.

    Attributes:
        until: when it runs out; also what tells this claim from a later one.
        schedule_position: how many attempts of the retry schedule are used up.
        enabled: whether the webhook is told events at all.
    """

    delivery_id: UUID
    until: datetime
    payload: str
    schedule_position: int
    webhook_id: UUID
    url: str
    enabled: bool
    sealed_secret: bytes


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What came of one attempt.

    Attributes:
        response_status: the HTTP status; None if there was no answer.
        error: why there was no answer.
    """

    started_at: datetime
    duration_ms: int
    response_status: int | None = None
    response_body: str = ""
    error: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the receiver took it."""
        return self.response_status is not None and 200 <= self.response_status < 300


async def claim_due(
    db: AsyncSession, *, now: datetime, until: datetime, limit: int, without: Collection[UUID] = ()
) -> list[Claim]:
    """Claims the deliveries that have been due the longest.

    Args:
        until: when the claims run out.
        limit: how many at the most.
        without: webhooks whose deliveries shall wait.
    """
    due = (
        select(Delivery.id)
        .where(
            Delivery.next_attempt_at <= now,
            or_(Delivery.claimed_until.is_(None), Delivery.claimed_until <= now),
            Delivery.webhook_id.not_in(without),
        )
        .order_by(Delivery.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    statement = (
        update(Delivery)
        .where(Delivery.id == due.c.id, Webhook.id == Delivery.webhook_id)
        .values(claimed_until=until)
        .returning(
            Delivery.id.label("delivery_id"),
            Delivery.payload,
            Delivery.schedule_position,
            Delivery.webhook_id,
            Webhook.url,
            Webhook.enabled,
            Webhook.sealed_secret,
        )
        .execution_options(synchronize_session=False)
    )
    return [Claim(until=until, **row) for row in (await db.execute(statement)).mappings()]


async def record_attempt(
    db: AsyncSession, claim: Claim, result: AttemptResult, retry_at: datetime | None
) -> bool:
    """Writes down an attempt and what follows from it.

    Args:
        retry_at: when to try again if it was not accepted; None gives up.

    Returns:
        False if the claim had run out, or the delivery is gone: nothing is written.
    """
    number = await db.scalar(_settle(claim, result, retry_at))
    if number is None:
        return False
    db.add(
        Attempt(
            delivery_id=claim.delivery_id,
            number=number,
            started_at=result.started_at,
            duration_ms=result.duration_ms,
            response_status=result.response_status,
            response_body=result.response_body,
            error=result.error,
        )
    )
    return True


async def delete_ended(db: AsyncSession, before: datetime, limit: int) -> int:
    """Deletes deliveries, and their attempts, that are older than `before` and have ended.

    Args:
        limit: how many at the most.

    Returns:
        How many there were.
    """
    # Ids begin with the time they were made at, so the primary key answers "older than".
    ended = (Delivery.id < earliest_id(before)) & (Delivery.status != PENDING)
    return await delete_batch(db, Delivery.id, ended, limit)


def _settle(claim: Claim, result: AttemptResult, retry_at: datetime | None) -> ReturningUpdate[int]:
    """Ends the claim with what the attempt came to, and gives the attempt's number."""
    status = DELIVERED if result.accepted else FAILED if retry_at is None else PENDING
    ended_at = result.started_at + timedelta(milliseconds=result.duration_ms)
    return (
        update(Delivery)
        .where(Delivery.id == claim.delivery_id, Delivery.claimed_until == claim.until)
        .values(
            status=status,
            attempt_count=Delivery.attempt_count + 1,
            schedule_position=Delivery.schedule_position + 1,
            next_attempt_at=retry_at if status == PENDING else None,
            claimed_until=None,
            delivered_at=ended_at if status == DELIVERED else None,
        )
        .returning(Delivery.attempt_count)
        .execution_options(synchronize_session=False)
    )
