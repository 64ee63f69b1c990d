"""From the outbox to the deliveries: each pending event is told to the webhooks that want it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from server.kit.clock import Clock
from server.kit.db import Sessions
from server.webhooks.fanout import fan_out

BATCH = 100  # events in one transaction


class EventFanOut:
    """Fans out pending events, and sees to it that their deliveries leave at once."""

    def __init__(
        self, sessions: Sessions, clock: Clock, deliver: Callable[[], Awaitable[None]]
    ) -> None:
        """Takes what it works with.

        Args:
            deliver: sends what is due; called when there may be something new.
        """
        self._sessions = sessions
        self._clock = clock
        self._deliver = deliver

    async def __call__(self) -> None:
        """Fans out until no event is pending."""
        while True:
            async with self._sessions.begin() as db:
                count = await fan_out(db, self._clock(), BATCH)
            if count:
                await self._deliver()
            if count < BATCH:
                return
