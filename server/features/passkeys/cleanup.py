"""When used challenges are forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.base import delete_batch
from server.features.passkeys.models import UsedPasskeyChallenge

# Longer than the clocks of two machines are apart: none may take a challenge for valid
# whose use another one has forgotten.
KEPT = timedelta(hours=1)


async def delete_used_challenges(db: AsyncSession, now: datetime, limit: int) -> int:
    """Forgets challenges that have expired, `limit` at the most, and returns how many."""
    expired = UsedPasskeyChallenge.expires_at <= now - KEPT
    return await delete_batch(db, UsedPasskeyChallenge.challenge_hash, expired, limit)
