"""What is asked about mails to send: which are due, and what came of an attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage import claims
from server.features.emails.models import Email


@dataclass(frozen=True, slots=True)
class Claim:
    """A mail that one worker alone may send for a while.

    Attributes:
        until: when it is due again; also what tells this claim from a later one.
        attempt_count: how many attempts were made before.
    """

    email_id: UUID
    until: datetime
    recipient: str = field(repr=False)
    template: str
    sealed_variables: bytes = field(repr=False)
    attempt_count: int


async def claim_due(db: AsyncSession, *, now: datetime, until: datetime, limit: int) -> list[Claim]:
    """Claims the mails that have been due the longest.

    Args:
        until: when the claims run out.
        limit: how many at the most.
    """
    rows = await claims.claim_due(
        db,
        Email,
        Email.id.label("email_id"),
        Email.recipient,
        Email.template,
        Email.sealed_variables,
        Email.attempt_count,
        now=now,
        until=until,
        limit=limit,
    )
    return [Claim(until=until, **row) for row in rows]


async def record_sent(db: AsyncSession, claim: Claim, now: datetime) -> None:
    """Ends a mail that was sent, and forgets what it said."""
    await _settle(db, claim, next_attempt_at=None, sent_at=now, sealed_variables=None)


async def record_failure(
    db: AsyncSession, claim: Claim, error: str, retry_at: datetime | None
) -> None:
    """Puts a mail off that could not be sent.

    Args:
        retry_at: when to try again; None gives up, and forgets what it said.
    """
    forgotten = {"sealed_variables": None} if retry_at is None else {}
    await _settle(db, claim, next_attempt_at=retry_at, last_error=error, **forgotten)


async def _settle(db: AsyncSession, claim: Claim, **changes: Any) -> None:
    await claims.settle(
        db,
        Email,
        claim.email_id,
        until=claim.until,
        attempt_count=claim.attempt_count,
        **changes,
    )
