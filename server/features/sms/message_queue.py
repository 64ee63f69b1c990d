"""What is asked about text messages to send: which are due, and what came of an attempt.

A claim is a row whose next attempt was put off by the time that an attempt may take: a worker
that dies leaves nothing behind, the message is simply due again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.sms.models import TextMessage


@dataclass(frozen=True, slots=True)
class Claim:
    """A text message that one worker alone may send for a while.

    Attributes:
        until: when it is due again; also what tells this claim from a later one.
        expires_at: from when on it must not be sent any more.
        attempt_count: how many attempts were made before.
    """

    message_id: UUID
    until: datetime
    expires_at: datetime
    sealed_content: bytes = field(repr=False)
    attempt_count: int


async def claim_due(db: AsyncSession, *, now: datetime, until: datetime, limit: int) -> list[Claim]:
    """Claims the text messages that have been due the longest.

    Args:
        until: when the claims run out.
        limit: how many at the most.
    """
    due = (
        select(TextMessage.id)
        .where(TextMessage.next_attempt_at <= now)
        .order_by(TextMessage.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    statement = (
        update(TextMessage)
        .where(TextMessage.id == due.c.id)
        .values(next_attempt_at=until)
        .returning(
            TextMessage.id.label("message_id"),
            TextMessage.expires_at,
            TextMessage.sealed_content,
            TextMessage.attempt_count,
        )
        .execution_options(synchronize_session=False)
    )
    return [Claim(until=until, **row) for row in (await db.execute(statement)).mappings()]


async def record_sent(db: AsyncSession, claim: Claim, provider_id: str, now: datetime) -> None:
    """Ends a text message that was sent, and forgets what it said and to whom."""
    await _settle(
        db,
        claim,
        next_attempt_at=None,
        sent_at=now,
        provider_id=provider_id[:64],
        sealed_content=None,
    )


async def record_failure(
    db: AsyncSession, claim: Claim, error: str, retry_at: datetime | None
) -> None:
    """Puts a text message off that could not be sent.

    Args:
        retry_at: when to try again; None gives up, and forgets what it said and to whom.
    """
    forgotten = {"sealed_content": None} if retry_at is None else {}
    await _settle(db, claim, next_attempt_at=retry_at, last_error=error, **forgotten)


async def _settle(db: AsyncSession, claim: Claim, **changes: Any) -> None:
    """Ends a claim, if it has not run out and passed to another worker."""
    await db.execute(
        update(TextMessage)
        .where(TextMessage.id == claim.message_id, TextMessage.next_attempt_at == claim.until)
        .values(attempt_count=claim.attempt_count + 1, **changes)
        .execution_options(synchronize_session=False)
    )
