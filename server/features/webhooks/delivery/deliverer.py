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
from datetime import datetime
from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.clock import Clock
from portico_kit.secrets import Secrets
from portico_kit.storage.base import Sessions, single_statements
from portico_kit.tasks.failures import log_failures
from portico_kit.tasks.retries import RETRIES, RetrySchedule
from server.common.fair_queue import FairQueue
from server.features.emails.facade import Mailer
from server.features.webhooks.delivery.attempt_statistics import AttemptStatistics
from server.features.webhooks.delivery.credentials import Credentials
from server.features.webhooks.delivery.lines import Lines
from server.features.webhooks.delivery.schedule import jittered, pause_after
from server.features.webhooks.delivery.settlements import Settlements
from server.features.webhooks.delivery.throttle import Throttle
from server.features.webhooks.delivery_queue import (
    LEASE,
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
from server.features.webhooks.models import PENDING
from server.features.webhooks.ordering import unblock

log = structlog.get_logger("webhooks")

# How long slots that become free are gathered, in seconds, so that one claim fills several.
GATHERING = 0.02
# The attempt of an ordered delivery begins within this time of its claim, or not at all: else
# it could come after the next one, which another worker sends.
LATEST_START = LEASE / 2
# Attempts with news of their receiver that are written down at once.
RECORDINGS = 8
RECORDINGS_OF_SLOW = 4


class Client(Protocol):
    """Posts deliveries; what a receiver does wrong becomes a result."""

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout_seconds: float | None = None,
    ) -> AttemptResult:
        """Makes one attempt and returns what came of it.

        Args:
            timeout_seconds: how long it may take; None for what is usual.
        """
        ...


class ClaimTurns(Protocol):
    """Claims deliveries of webhooks that are due."""

    async def __call__(
        self, db: AsyncSession, turns: Mapping[UUID, int], *, now: datetime, until: datetime
    ) -> list[Claim]:
        """Claims so many at the most, by webhook."""
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
        statistics: AttemptStatistics | None = None,
    ) -> None:
        self._sessions = sessions
        self._statements = single_statements(sessions)
        self.statistics = statistics or AttemptStatistics(sessions)
        self._client = client
        self._credentials = Credentials(secrets)
        self._settlements = Settlements(sessions)
        self._lines = Lines()
        self._throttle = Throttle(self._wake)
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
        async with self._statements() as db:
            await unblock(db, self._clock())
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

    def take_slot(self, webhook: DueWebhook) -> bool:
        """Takes a slot for a delivery that is about to be made as claimed, if it may have one.

        `deliver_claimed` uses it, or gives it back.
        """
        webhook_id, organization_id = webhook.webhook_id, webhook.organization_id
        known_slow = webhook_id in self._slow or webhook_id in self._outlasting
        if self._closing or webhook.slow or known_slow:
            return False
        if not self._fast.may_start_at_once(webhook_id, organization_id):
            return False
        self._hold(webhook_id, organization_id, self._fast)
        return True

    def deliver_claimed(self, claims: Iterable[Claim], taken: Iterable[DueWebhook]) -> None:
        """Sends deliveries that were made as claimed.

        Args:
            taken: for which slots were taken; those that no delivery needs are free again.
        """
        left = Counter(webhook.webhook_id for webhook in taken)
        for claim in claims:
            left[claim.webhook_id] -= 1
            self._begin(claim, self._fast)
        for webhook in taken:
            if left[webhook.webhook_id] > 0:
                left[webhook.webhook_id] -= 1
                self._let_go(webhook.webhook_id, webhook.organization_id, self._fast)

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
        await self.statistics.flush()

    def _enqueue(self, webhook: DueWebhook) -> None:
        """Puts a webhook into its lane; what this worker has seen of it outweighs the row."""
        self._throttle.note(webhook)
        known_slow = webhook.webhook_id in self._slow or webhook.webhook_id in self._outlasting
        known_fast = webhook.webhook_id in self._fast
        lane = self._slow if known_slow or (webhook.slow and not known_fast) else self._fast
        lane.add(webhook.webhook_id, webhook.organization_id)

    def _wake(self, webhook: DueWebhook) -> None:
        """Has what is due to a webhook claimed, at once if there is a slot."""
        self._enqueue(webhook)
        self._has_new = True
        self._refill_soon()

    async def _fill_lanes(self) -> None:
        self._freed, self._has_new = 0, False
        while not self._closing and (found := self._next_turns()):
            lane, turns = found
            came: Counter[UUID] = Counter()
            unlimited, limited = self._throttle.split(turns)
            for share, claim_share in ((unlimited, claim_due), (limited, self._throttle.claim)):
                for claim in await self._claim(share, claim_share) if share else ():
                    self._start(claim, lane)
                    came[claim.webhook_id] += 1
            for webhook_id, count in turns.items():
                if came[webhook_id] < count:
                    lane.discard(webhook_id)

    def _next_turns(self) -> tuple[FairQueue, dict[UUID, int]] | None:
        """Who may claim next; what became due meanwhile does not wait for the slow lane."""
        for lane in (self._fast, self._slow):
            if turns := lane.take_turns(self._capacity.batch):
                return lane, turns
        return None

    async def _claim(self, turns: dict[UUID, int], claim: ClaimTurns) -> list[Claim]:
        now = self._clock()
        # Limits are counted in a transaction; nothing else needs one.
        begin = self._statements if claim is claim_due else self._sessions.begin
        async with begin() as db:
            await self._lines.let_next_go(db, turns, now)
            return await claim(db, turns, now=now, until=now + LEASE)

    def _start(self, claim: Claim, lane: FairQueue) -> None:
        self._hold(claim.webhook_id, claim.organization_id, lane)
        self._begin(claim, lane)

    def _hold(self, webhook_id: UUID, organization_id: UUID, lane: FairQueue) -> None:
        self._under_way[webhook_id] += 1
        lane.hold(webhook_id, organization_id)

    def _begin(self, claim: Claim, lane: FairQueue) -> None:
        """Begins an attempt that holds a slot."""
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
        if attempt.lane is None:
            _count_down(self._outlasting, claim.webhook_id)
        self._let_go(claim.webhook_id, claim.organization_id, attempt.lane)
        self._throttle.ended(claim.webhook_id)

    def _let_go(self, webhook_id: UUID, organization_id: UUID, lane: FairQueue | None) -> None:
        """Notes that an attempt is over, and the slot that it held is free."""
        if lane is not None:
            lane.release(organization_id)
        _count_down(self._under_way, webhook_id)
        self._fast.unpark(webhook_id)
        self._slow.unpark(webhook_id)
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
            if claim.delay_seconds:
                await asyncio.sleep(claim.delay_seconds)
            if claim.ordered and self._clock() > claim.claimed_at + LATEST_START:
                return
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
        failing, slow = _is_failing(claim, result), self._is_slow(result)
        came = outcome(claim, result, self._retry_at(claim, result))
        if result.gone or (failing, slow) != (claim.failing, claim.slow):
            recording = self._recording if attempt.lane is self._fast else self._recording_slow
            async with recording, self._sessions.begin() as db:
                recorded = await self._record_news(db, claim, result, came)
        else:
            recorded = await self._settlements.settle(came)
        if recorded and not result.ours:
            self.statistics.count(claim.webhook_id, result)
        if recorded and not slow:
            self._move(claim, self._slow, self._fast)
        if recorded and claim.ordered and came.status != PENDING:
            self._let_next_go(claim, slow=slow)
        return recorded

    def _let_next_go(self, claim: Claim, *, slow: bool) -> None:
        """Has whatever waited for an ordered delivery sent."""
        self._lines.ended(claim)
        limited = self._throttle.has(claim.webhook_id)
        self._wake(DueWebhook(claim.webhook_id, claim.organization_id, slow, limited))

    async def _record_news(
        self, db: AsyncSession, claim: Claim, result: AttemptResult, came: Outcome
    ) -> bool:
        """Writes down an attempt together with what changes for its webhook."""
        await lock_webhook(db, claim.webhook_id)
        if not await record_attempt(db, came):
            return False
        now = self._clock()
        await record_health(
            db, claim, now, failing=_is_failing(claim, result), slow=self._is_slow(result)
        )
        if result.gone:
            await disable_gone(db, claim.webhook_id, self._mailer, now)
        return True

    def _is_slow(self, result: AttemptResult) -> bool:
        return result.duration_ms >= self._capacity.patience * 1000

    def _retry_at(self, claim: Claim, result: AttemptResult) -> datetime | None:
        """When to try again: by the schedule, or later if the receiver asks for it."""
        pause = pause_after(claim, self._retries)
        if pause is None:
            return None
        pause = jittered(pause)
        return self._clock() + max(pause, result.retry_after or pause)

    async def _attempt(self, claim: Claim) -> AttemptResult:
        now = self._clock()
        if (payload := claim.body) is None:
            return AttemptResult(now, 0, error="The event is no longer kept.", ours=True)
        body = payload.encode()
        try:
            headers = self._credentials.headers(claim, now, body)
            longest = claim.settings.timeout_seconds
            result = await self._client.post(claim.url, body, headers, longest)
            return self._credentials.redact(claim, result)
        except Exception as error:
            # Counted as an attempt, so that it ends some day. Only the kind of the error is
            # logged: its text may repeat the URL, which may be as good as a credential.
            log.error(
                "attempt_failed", delivery_id=str(claim.delivery_id), error=type(error).__name__
            )
            return AttemptResult(now, 0, error="The delivery could not be made.", ours=True)


def _is_failing(claim: Claim, result: AttemptResult) -> bool:
    """Whether the receiver fails; what went wrong on our side says nothing about it."""
    return claim.failing if result.ours else not result.accepted


def _count_down(counts: Counter[UUID], webhook_id: UUID) -> None:
    """Counts one less, and forgets who is at none."""
    counts[webhook_id] -= 1
    if not counts[webhook_id]:
        del counts[webhook_id]
