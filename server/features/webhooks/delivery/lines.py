"""Deliveries of ordered webhooks that have ended: with the next claim the next one goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.features.webhooks.delivery_queue import Claim
from server.features.webhooks.ordering import let_next_go


class Lines:
    """What one worker has ended, by webhook. What it forgets as it dies, others find."""

    def __init__(self) -> None:
        self._ended: defaultdict[UUID, set[UUID]] = defaultdict(set)

    def ended(self, claim: Claim) -> None:
        """Notes a delivery that has ended, well or not."""
        self._ended[claim.webhook_id].add(claim.delivery_id)

    async def let_next_go(self, db: AsyncSession, webhooks: Iterable[UUID], now: datetime) -> None:
        """Makes due what waited for what has ended, before it is claimed."""
        if self._ended:
            ended = [self._ended.pop(one) for one in webhooks if one in self._ended]
            await let_next_go(db, set[UUID]().union(*ended), now)
