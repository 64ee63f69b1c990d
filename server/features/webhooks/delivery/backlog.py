"""Looks after webhooks that cannot keep up, see server/features/webhooks/backlog.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from portico_kit.clock import Clock
from portico_kit.storage.base import Sessions
from server.features.webhooks.backlog import (
    FULL,
    catch_up,
    fall_behind,
    find_catching_up,
    find_full,
)
from server.features.webhooks.delivery_queue import DueWebhook
from server.features.webhooks.ordering import unblock


@dataclass(frozen=True, slots=True)
class Backlog:
    """Lets webhooks fall behind and catch up.

    Attributes:
        deliver: sends what is due to the webhooks that it is given.
        full: pending deliveries from which on a webhook that fails or is slow falls behind.
    """

    sessions: Sessions
    clock: Clock
    deliver: Callable[[Sequence[DueWebhook]], Awaitable[None]]
    full: int = FULL

    async def __call__(self) -> None:
        """Looks at all of them once."""
        async with self.sessions() as db:
            full = await find_full(db, self.full)
            behind = await find_catching_up(db, self.full)
        for webhook_id in full:
            async with self.sessions.begin() as db:
                await fall_behind(db, webhook_id, self.clock())
        due = []
        for webhook_id in behind:
            async with self.sessions.begin() as db:
                due.append(await catch_up(db, webhook_id, self.clock()))
        if due:
            async with self.sessions.begin() as db:
                await unblock(db, self.clock())
        await self.deliver([webhook for webhook in due if webhook is not None])
