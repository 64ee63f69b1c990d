"""From the outbox to the deliveries: each pending event is sent to the webhooks that want it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol
from uuid import UUID

from portico_kit.clock import Clock
from portico_kit.storage.base import Sessions
from server.features.webhooks.delivery_queue import Claim, DueWebhook
from server.features.webhooks.fanout import BEGINNING, FannedOut, fan_out
from server.features.webhooks.ordering import let_next_go

BATCH = 100  # events in one transaction
PAUSE = 0.01  # seconds, while all that is pending is of organizations of other workers

Deliver = Callable[[Sequence[DueWebhook]], Awaitable[None]]
Announce = Callable[[Collection[UUID]], None]


def _announce_nothing(_organizations: Collection[UUID]) -> None:
    return None


class Slots(Protocol):
    """Where deliveries are sent at once that are made as claimed: see `Deliverer`."""

    def take_slot(self, webhook: DueWebhook) -> bool:
        """Takes a slot for a delivery to a webhook, if it may have one."""
        ...

    def deliver_claimed(self, claims: Sequence[Claim], taken: Sequence[DueWebhook]) -> None:
        """Sends them; slots that were taken and are not needed are free again."""
        ...


class EventFanOut:
    """Fans out pending events, and sees to it that their deliveries leave at once."""

    def __init__(
        self,
        sessions: Sessions,
        clock: Clock,
        deliver: Deliver,
        slots: Slots | None = None,
        announce: Announce = _announce_nothing,
    ) -> None:
        """Takes what it works with.

        Args:
            deliver: sends what is due to the webhooks that it is given.
            slots: sends deliveries at once; None lets all of them take turns.
            announce: lets those who stream know which organizations have new events.
        """
        self._sessions = sessions
        self._clock = clock
        self._deliver = deliver
        self._slots = slots
        self._announce = announce
        # The organization that had the last turn.
        self._last = BEGINNING

    async def __call__(self) -> None:
        """Fans out until no event is pending."""
        more = True
        while more:
            batch = await self._fan_out()
            self._last, more = batch.last, batch.more
            self._announce(batch.numbered)
            if batch.waits:
                # Another worker may have looked for the last time before these events came.
                await asyncio.sleep(PAUSE)
            if batch.blocked:
                # What they wait for may have ended before they were seen.
                async with self._sessions.begin() as db:
                    await let_next_go(db, batch.blocked, self._clock())
            if batch.due:
                await self._deliver(batch.due)

    async def _fan_out(self) -> FannedOut:
        """One transaction, and what it made as claimed on its way."""
        taken: list[DueWebhook] = []
        claims: Sequence[Claim] = ()

        def take_slot(webhook: DueWebhook) -> bool:
            if self._slots is None or not self._slots.take_slot(webhook):
                return False
            taken.append(webhook)
            return True

        try:
            async with self._sessions.begin() as db:
                batch = await fan_out(db, self._clock(), BATCH, self._last, take_slot)
            claims = batch.claims
        finally:
            if self._slots is not None and taken:
                self._slots.deliver_claimed(claims, taken)
        return batch
