"""Webhooks with limits, as one worker sends to them: who waits until when.

One that has used up its limits waits here and not in the queue: it holds no slot, and nobody
looks at it, until it may go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.features.webhooks.delivery_queue import Claim, DueWebhook
from server.features.webhooks.limits import Turn, claim_within_limits


class Throttle:
    """The webhooks with limits that a worker knows of."""

    def __init__(self, wake: Callable[[DueWebhook], None]) -> None:
        """Takes what it works with.

        Args:
            wake: has what is due to a webhook claimed.
        """
        self._wake = wake
        self._limited: dict[UUID, DueWebhook] = {}
        self._timers: dict[UUID, asyncio.TimerHandle] = {}
        # Those that have as much in flight as they may.
        self._full: set[UUID] = set()

    def note(self, webhook: DueWebhook) -> None:
        """Learns of a webhook whether it has limits."""
        if webhook.limited:
            self._limited[webhook.webhook_id] = webhook
        elif self._limited:
            self._limited.pop(webhook.webhook_id, None)

    def has(self, webhook_id: UUID) -> bool:
        """Whether a webhook has limits, as far as is known."""
        return webhook_id in self._limited

    def split(self, turns: dict[UUID, int]) -> tuple[dict[UUID, int], dict[UUID, int]]:
        """Turns of webhooks without limits, and of those with."""
        if not self._limited or self._limited.keys().isdisjoint(turns):
            return turns, {}
        limited = {one: count for one, count in turns.items() if one in self._limited}
        return {one: count for one, count in turns.items() if one not in limited}, limited

    async def claim(
        self, db: AsyncSession, turns: Mapping[UUID, int], *, now: datetime, until: datetime
    ) -> list[Claim]:
        """Claims what the limits allow, and sees to it that the rest follows in its time."""
        found = await claim_within_limits(db, turns, now=now, until=until)
        for webhook_id, turn in found.items():
            self._plan(webhook_id, turn)
        return [claim for turn in found.values() for claim in turn.claims]

    def ended(self, webhook_id: UUID) -> None:
        """An attempt has ended; if its webhook was full, it may go on."""
        if webhook_id in self._full:
            self._full.discard(webhook_id)
            self._go_on(webhook_id)

    def _plan(self, webhook_id: UUID, turn: Turn) -> None:
        known = self._limited.get(webhook_id)
        if known is not None and turn.claims:
            self._limited[webhook_id] = replace(known, slow=turn.slow)
        if turn.full:
            self._full.add(webhook_id)
        if turn.wait is not None and webhook_id not in self._timers:
            self._timers[webhook_id] = self._call_later(turn.wait, webhook_id)

    def _call_later(self, wait: timedelta, webhook_id: UUID) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        return loop.call_later(wait.total_seconds(), self._time_is_up, webhook_id)

    def _time_is_up(self, webhook_id: UUID) -> None:
        self._timers.pop(webhook_id, None)
        self._go_on(webhook_id)

    def _go_on(self, webhook_id: UUID) -> None:
        webhook = self._limited.get(webhook_id)
        if webhook is not None:
            self._wake(webhook)
