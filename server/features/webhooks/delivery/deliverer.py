"""Sends what is due: claims deliveries, posts them side by side, writes down what came of it.

Organizations share the slots (see `FairQueue`). A receiver that takes long moves to a
lane of its own, in the middle of an attempt if need be: a slot of the fast lane is held
for `Capacity.patience` at the most, whatever a receiver does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.clock import Clock
from portico_kit.secrets import Secrets
from portico_kit.storage.base import Sessions
from portico_kit.tasks.failures import log_failures
from portico_kit.tasks.retries import RETRIES, RetrySchedule
from server.common.fair_queue import FairQueue
from server.features.emails.facade import Mailer
from server.features.webhooks.delivery.settlements import Settlements
from server.features.webhooks.delivery.signature import signed_headers
from server.features.webhooks.delivery.unsealed import UnsealedSecrets
from server.features.webhooks.delivery_queue import (
    AttemptResult,
    Claim,
    DueWebhook,
    Outcome,
    claim_due,
    find_due_webhooks,
    lock_webhook,
    outcome,
    record_attempt,
    record_health,
)
from server.features.webhooks.gone import disable_gone

log = structlog.get_logger("webhooks")

# Longer than an attempt can take. A worker that dies leaves its claims to run out.
LEASE = timedelta(seconds=30)
# How long slots that become free are gathered, in seconds, so that one claim fills several.
GATHERING = 0.02
# Attempts with news of their receiver that are written down at once.
RECORDINGS = 8
RECORDINGS_OF_SLOW = 4


class Client(Protocol):
    """Posts deliveries; what a receiver does wrong becomes a result."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> AttemptResult:
        """Makes one attempt and returns what came of it."""
        ...


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much one worker sends at once.

    Attributes:
        slots: attempts in the fast lane.
        share: attempts in it to one webhook.
        slow_slots: attempts in the lane of the slow receivers.
        slow_share: attempts in it to one webhook.
        batch: deliveries claimed by one query.
        patience: seconds from which on a receiver is slow.
    """

    slots: int = 400
    share: int = 40
    slow_slots: int = 100
    slow_share: int = 2
    batch: int = 200
    patience: float = 2.0


@dataclass(slots=True)
class _Attempt:
    """An attempt that is under way.

    Attributes:
        lane: where it holds a slot; None once it gave that back.
        overtime: what takes the slot of the fast lane away.
    """

    claim: Claim
    lane: FairQueue | None
    overtime: asyncio.TimerHandle | None = field(default=None, repr=False)


class Deliverer:
    """Sends due deliveries in the background of the event loop."""

    def __init__(
        self,
        sessions: Sessions,
        client: Client,
        secrets: Secrets,
        clock: Clock,
        *,
        retries: RetrySchedule = RETRIES,
        capacity: Capacity | None = None,
    ) -> None:
        self._sessions = sessions
        self._client = client
        self._unsealed = UnsealedSecrets(secrets)
        self._settlements = Settlements(sessions)
        self._mailer = Mailer(secrets)
        self._clock = clock
        self._retries = retries
        self._capacity = size = capacity or Capacity()
        self._attempts: dict[asyncio.Task[None], _Attempt] = {}
        # Attempts by webhook, in whichever lane.
        self._under_way: Counter[UUID] = Counter()
        # Of these, attempts that have lost their slot; their webhooks are slow.
        self._outlasting: Counter[UUID] = Counter()
        self._fast = FairQueue(size.slots, size.share, self._under_way)
        self._slow = FairQueue(size.slow_slots, size.slow_share, self._under_way)
        # Receivers that hang end all at once; what they leave to write never takes every
        # connection, nor the turn of those who answered.
        self._recording = asyncio.Semaphore(RECORDINGS)
        self._recording_slow = asyncio.Semaphore(RECORDINGS_OF_SLOW)
        self._refills: set[asyncio.Task[None]] = set()
        # Slots that became free since the last look.
        self._freed = 0
        # Whether somebody was put in since then: they are not kept waiting for more slots.
        self._has_new = False
        self._closing = False

    async def deliver_due(self) -> None:
        """Looks for everything that is due and starts sending. Does not wait for the receivers.

        What finds no slot is taken up as slots become free.
        """
        async with self._sessions() as db:
            due = await find_due_webhooks(db, self._clock())
        await self.deliver(due)

    async def deliver(self, due: Iterable[DueWebhook]) -> None:
        """Has what is due to these webhooks sent, without looking for more.

        The claims are made by a task of their own: whoever calls is not held up while
        others ask for slots again and again.
        """
        for webhook in due:
            self._enqueue(webhook)
            self._has_new = True
        self._refill_soon()

    async def settle(self) -> None:
        """Waits until nothing is under way and nothing waits for a slot."""
        while pending := {*self._attempts, *self._refills}:
            await asyncio.wait(pending)

    async def close(self, patience: float) -> None:
        """Claims nothing more and lets what is under way finish.

        Args:
            patience: seconds to wait. What takes longer is sent again after its
                claim has run out.
        """
        self._closing = True
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=patience)

    def _enqueue(self, webhook: DueWebhook) -> None:
        """Puts a webhook into its lane; what this worker has seen of it outweighs the row."""
        known_slow = webhook.webhook_id in self._slow or webhook.webhook_id in self._outlasting
        known_fast = webhook.webhook_id in self._fast
        lane = self._slow if known_slow or (webhook.slow and not known_fast) else self._fast
        lane.add(webhook.webhook_id, webhook.organization_id)

    async def _fill_lanes(self) -> None:
        self._freed, self._has_new = 0, False
        while not self._closing and (found := self._next_turns()):
            lane, turns = found
            claims = await self._claim(turns)
            for claim in claims:
                self._start(claim, lane)
            came = Counter(claim.webhook_id for claim in claims)
            for webhook_id, count in turns.items():
                if came[webhook_id] < count:
                    lane.discard(webhook_id)

    def _next_turns(self) -> tuple[FairQueue, dict[UUID, int]] | None:
        """Who may claim next; what became due meanwhile does not wait for the slow lane."""
        for lane in (self._fast, self._slow):
            if turns := lane.take_turns(self._capacity.batch):
                return lane, turns
        return None

    async def _claim(self, turns: dict[UUID, int]) -> list[Claim]:
        now = self._clock()
        async with self._sessions.begin() as db:
            return await claim_due(db, turns, now=now, until=now + LEASE)

    def _start(self, claim: Claim, lane: FairQueue) -> None:
        self._under_way[claim.webhook_id] += 1
        lane.hold(claim.webhook_id, claim.organization_id)
        attempt = _Attempt(claim, lane)
        task = asyncio.create_task(self._deliver(attempt))
        if lane is self._fast:
            loop = asyncio.get_running_loop()
            attempt.overtime = loop.call_later(self._capacity.patience, self._outlast, attempt)
        self._attempts[task] = attempt
        task.add_done_callback(self._finished)

    def _outlast(self, attempt: _Attempt) -> None:
        """Takes the slot of an attempt that lasts too long; its webhook is slow from now on."""
        claim, attempt.lane = attempt.claim, None
        self._fast.release(claim.organization_id)
        self._outlasting[claim.webhook_id] += 1
        self._move(claim, self._fast, self._slow)
        self._slot_is_free()

    def _move(self, claim: Claim, origin: FairQueue, target: FairQueue) -> None:
        """Moves a webhook that has something due from one lane to the other."""
        if claim.webhook_id in origin:
            origin.remove(claim.webhook_id)
            target.add(claim.webhook_id, claim.organization_id)

    def _finished(self, task: asyncio.Task[None]) -> None:
        attempt = self._attempts.pop(task)
        claim = attempt.claim
        if attempt.lane is not None:
            attempt.lane.release(claim.organization_id)
        else:
            _count_down(self._outlasting, claim.webhook_id)
        _count_down(self._under_way, claim.webhook_id)
        self._fast.unpark(claim.webhook_id)
        self._slow.unpark(claim.webhook_id)
        self._slot_is_free()

    def _slot_is_free(self) -> None:
        self._freed += 1
        self._refill_soon()

    def _refill_soon(self) -> None:
        """Fills the free slots, if somebody waits for one and nobody is about to do it."""
        if self._closing or self._refills or not (self._fast or self._slow):
            return
        refill = asyncio.create_task(self._refill())
        self._refills.add(refill)
        refill.add_done_callback(self._refilled)

    def _refilled(self, refill: asyncio.Task[None]) -> None:
        self._refills.discard(refill)
        if self._freed or self._has_new:
            # Something happened behind its back.
            self._refill_soon()

    async def _refill(self) -> None:
        held = self._fast.held + self._slow.held
        if not self._has_new and self._freed * 4 < held:
            await asyncio.sleep(GATHERING)
        with log_failures("deliveries_not_claimed"):
            await self._fill_lanes()

    async def _deliver(self, attempt: _Attempt) -> None:
        """One attempt, from the signature to the row that tells of it."""
        claim = attempt.claim
        with log_failures("attempt_not_recorded"):
            result = await self._attempt(claim)
            if attempt.overtime is not None:
                attempt.overtime.cancel()
            recorded = await self._record(attempt, result)
            # Of what went well, its row tells; a line for each would cost more than the row.
            if not (recorded and result.accepted):
                log.info(
                    "attempt",
                    delivery_id=str(claim.delivery_id),
                    webhook_id=str(claim.webhook_id),
                    status=result.response_status,
                    duration_ms=result.duration_ms,
                    error=result.error,
                    recorded=recorded,
                )

    async def _record(self, attempt: _Attempt, result: AttemptResult) -> bool:
        """Writes down an attempt, and what it says of the receiver if that is news."""
        claim = attempt.claim
        failing, slow = not result.accepted, self._is_slow(result)
        came = outcome(claim, result, self._retry_at(claim, result))
        if result.gone or (failing, slow) != (claim.failing, claim.slow):
            recording = self._recording if attempt.lane is self._fast else self._recording_slow
            async with recording, self._sessions.begin() as db:
                recorded = await self._record_news(db, claim, result, came)
        else:
            recorded = await self._settlements.settle(came)
        if recorded and not slow:
            self._move(claim, self._slow, self._fast)
        return recorded

    async def _record_news(
        self, db: AsyncSession, claim: Claim, result: AttemptResult, came: Outcome
    ) -> bool:
        """Writes down an attempt together with what changes for its webhook."""
        await lock_webhook(db, claim.webhook_id)
        if not await record_attempt(db, came):
            return False
        now = self._clock()
        await record_health(db, claim, now, failing=not result.accepted, slow=self._is_slow(result))
        if result.gone:
            await disable_gone(db, claim.webhook_id, self._mailer, now)
        return True

    def _is_slow(self, result: AttemptResult) -> bool:
        return result.duration_ms >= self._capacity.patience * 1000

    def _retry_at(self, claim: Claim, result: AttemptResult) -> datetime | None:
        """When to try again: by the schedule, or later if the receiver asks for it."""
        pause = self._retries.pause_after(claim.schedule_position + 1)
        if pause is None:
            return None
        return self._clock() + max(pause, result.retry_after or pause)

    async def _attempt(self, claim: Claim) -> AttemptResult:
        now = self._clock()
        if (payload := claim.body) is None:
            return AttemptResult(now, 0, error="The event is no longer kept.")
        body = payload.encode()
        try:
            headers = signed_headers(self._signing(claim, now), str(claim.delivery_id), now, body)
            return await self._client.post(claim.url, body, headers)
        except Exception as error:
            # Counted as an attempt, so that it ends some day. Only the kind of the error is
            # logged: its text may repeat the URL, which may be as good as a credential.
            log.error(
                "attempt_failed", delivery_id=str(claim.delivery_id), error=type(error).__name__
            )
            return AttemptResult(now, 0, error="The delivery could not be made.")

    def _signing(self, claim: Claim, now: datetime) -> list[str]:
        """The secrets to sign with, the newest first."""
        secrets = [self._unsealed.get(claim.sealed_secret)]
        expires_at = claim.previous_secret_expires_at
        if claim.sealed_previous_secret and expires_at is not None and now < expires_at:
            secrets.append(self._unsealed.get(claim.sealed_previous_secret))
        return secrets


def _count_down(counts: Counter[UUID], webhook_id: UUID) -> None:
    """Counts one less, and forgets who is at none."""
    counts[webhook_id] -= 1
    if not counts[webhook_id]:
        del counts[webhook_id]
