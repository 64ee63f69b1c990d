"""Sends what is due: claims deliveries, posts them side by side, writes down what came of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from server.kit.clock import Clock
from server.kit.db import Sessions
from server.kit.secrets import Secrets
from server.webhooks.deliveries import (
    AttemptResult,
    Claim,
    claim_due,
    record_attempt,
)
from server.webhooks.secret import unseal
from workers.coalesced import Coalesced
from workers.failures import quiet_failure
from workers.retries import RETRIES, RetrySchedule
from workers.webhooks.http import WebhookClient
from workers.webhooks.signature import signed_headers

log = structlog.get_logger("webhooks")

# Longer than an attempt can take. A worker that dies leaves its claims to run out.
LEASE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much is sent at once.

    Attributes:
        slots: deliveries under way.
        batch: deliveries claimed by one query.
        share: deliveries under way to one webhook, from which on its others wait, so
            that a receiver that hangs does not keep everyone else waiting. A batch
            may go beyond it.
    """

    slots: int = 100
    batch: int = 20
    share: int = 10


class Deliverer:
    """Sends due deliveries in the background of the event loop."""

    def __init__(
        self,
        sessions: Sessions,
        client: WebhookClient,
        secrets: Secrets,
        clock: Clock,
        *,
        retries: RetrySchedule = RETRIES,
        capacity: Capacity | None = None,
    ) -> None:
        self._sessions = sessions
        self._client = client
        self._secrets = secrets
        self._clock = clock
        self._retries = retries
        self._capacity = capacity or Capacity()
        self._under_way: dict[asyncio.Task[None], UUID] = {}
        self._refills: set[asyncio.Task[None]] = set()
        self._more_is_due = False
        self._closing = False
        self._fill = Coalesced(self._fill_slots)

    async def deliver_due(self) -> None:
        """Starts sending what is due. Does not wait for the receivers.

        What finds no slot is taken up as slots become free.
        """
        await self._fill()

    async def settle(self) -> None:
        """Waits until nothing is under way and nothing waits for a slot."""
        while pending := {*self._under_way, *self._refills}:
            await asyncio.wait(pending)

    async def close(self, patience: float) -> None:
        """Claims nothing more and lets what is under way finish.

        Args:
            patience: seconds to wait. What takes longer is sent again after its
                claim has run out.
        """
        self._closing = True
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=patience)

    async def _fill_slots(self) -> None:
        self._more_is_due = False
        while not self._closing:
            limit = min(self._capacity.slots - len(self._under_way), self._capacity.batch)
            busy = self._busy_webhooks()
            claims = await self._claim(limit, busy) if limit else []
            for claim in claims:
                self._start(claim)
            if claims and len(claims) == limit:
                continue
            # What is still due waits for a slot or for its share, and so for one of those
            # under way. Should they have finished in the meantime, nobody is to wait for.
            self._more_is_due = limit == 0 or bool(busy)
            if self._under_way or not self._more_is_due:
                return

    def _busy_webhooks(self) -> list[UUID]:
        """The webhooks that have their share of the slots."""
        counts = Counter(self._under_way.values())
        return [webhook for webhook, count in counts.items() if count >= self._capacity.share]

    async def _claim(self, limit: int, busy: list[UUID]) -> list[Claim]:
        now = self._clock()
        async with self._sessions.begin() as db:
            return await claim_due(db, now=now, until=now + LEASE, limit=limit, without=busy)

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(self._deliver(claim))
        self._under_way[task] = claim.webhook_id
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        webhook_id = self._under_way.pop(task)
        # While its webhook still has its share, nothing that waits for it can go.
        if self._more_is_due and webhook_id not in self._busy_webhooks() and not self._closing:
            self._more_is_due = False
            refill = asyncio.create_task(self._refill())
            self._refills.add(refill)
            refill.add_done_callback(self._refills.discard)

    async def _refill(self) -> None:
        with quiet_failure("deliveries_not_claimed"):
            await self._fill()

    async def _deliver(self, claim: Claim) -> None:
        """One attempt, from the signature to the row that tells of it."""
        with quiet_failure("attempt_not_recorded"):
            result = await self._attempt(claim)
            async with self._sessions.begin() as db:
                recorded = await record_attempt(db, claim, result, self._retry_at(claim))
            log.info(
                "attempt",
                delivery_id=str(claim.delivery_id),
                webhook_id=str(claim.webhook_id),
                status=result.response_status,
                duration_ms=result.duration_ms,
                error=result.error,
                recorded=recorded,
            )

    def _retry_at(self, claim: Claim) -> datetime | None:
        pause = self._retries.pause_after(claim.schedule_position + 1)
        return None if pause is None else self._clock() + pause

    async def _attempt(self, claim: Claim) -> AttemptResult:
        now = self._clock()
        if not claim.enabled:
            return AttemptResult(now, 0, error="The webhook is disabled.")
        body = claim.payload.encode()
        try:
            secret = unseal(self._secrets, claim.sealed_secret)
            headers = signed_headers(secret, str(claim.delivery_id), now, body)
            return await self._client.post(claim.url, body, headers)
        except Exception:
            # Counted as an attempt, so that it ends some day.
            log.exception("attempt_failed", delivery_id=str(claim.delivery_id))
            return AttemptResult(now, 0, error="The delivery could not be made.")
