"""From the outbox to the deliveries: each pending event is sent to the webhooks that want it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from uuid import UUID

from portico_kit.clock import Clock
from portico_kit.storage.base import Sessions
from server.features.webhooks.delivery_queue import DueWebhook
from server.features.webhooks.fanout import BEGINNING, fan_out

BATCH = 100  # events in one transaction
PAUSE = 0.01  # seconds, while all that is pending is of organizations of other workers

Deliver = Callable[[Sequence[DueWebhook]], Awaitable[None]]
Announce = Callable[[Collection[UUID]], None]


def _announce_nothing(_organizations: Collection[UUID]) -> None:
    return None


class EventFanOut:
    """Fans out pending events, and sees to it that their deliveries leave at once."""

    def __init__(
        self,
        sessions: Sessions,
        clock: Clock,
        deliver: Deliver,
        announce: Announce = _announce_nothing,
    ) -> None:
        """Takes what it works with.

        Args:
            deliver: sends what is due to the webhooks that it is given.
            announce: lets those who stream know which organizations have new events.
        """
        self._sessions = sessions
        self._clock = clock
        self._deliver = deliver
        self._announce = announce
        # The organization that had the last turn.
        self._last = BEGINNING

    async def __call__(self) -> None:
        """Fans out until no event is pending."""
        more = True
        while more:
            async with self._sessions.begin() as db:
                batch = await fan_out(db, self._clock(), BATCH, self._last)
            self._last, more = batch.last, batch.more
            self._announce(batch.numbered)
            if batch.waits:
                # Another worker may have looked for the last time before these events came.
                await asyncio.sleep(PAUSE)
            if batch.due:
                await self._deliver(batch.due)
