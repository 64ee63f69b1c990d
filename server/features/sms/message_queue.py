"""What is asked about text messages to send: which are due, and what came of an attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage import claims
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
    rows = await claims.claim_due(
        db,
        TextMessage,
        TextMessage.id.label("message_id"),
        TextMessage.expires_at,
        TextMessage.sealed_content,
        TextMessage.attempt_count,
        now=now,
        until=until,
        limit=limit,
    )
    return [Claim(until=until, **row) for row in rows]


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
    await claims.settle(
        db,
        TextMessage,
        claim.message_id,
        until=claim.until,
        attempt_count=claim.attempt_count,
        **changes,
    )
