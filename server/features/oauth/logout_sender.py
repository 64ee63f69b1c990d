"""Tells applications of sessions that have ended (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from portico_kit.clock import Clock
from portico_kit.storage.base import Sessions
from portico_kit.storage.reads import Reads
from portico_kit.tasks.failures import log_failures
from portico_kit.tasks.retries import RetrySchedule
from server.common.fair_queue import FairQueue
from server.common.outbound_json import FetchFailedError, JsonClient
from server.features.applications.facade import Client, find_clients
from server.features.auth.facade import take_session_ends
from server.features.auth.signing_keys import SigningKeys
from server.features.oauth.logout_lanes import PATIENCE, Call, Lanes
from server.features.oauth.logout_repository import (
    Claim,
    claim_due,
    due_applications,
    end_sessions,
    forget,
    settle,
)
from server.features.oauth.logout_tokens import LogoutTokens

log = structlog.get_logger("oauth")

ENDS_AT_ONCE = 1000
# Longer than a call can take.
LEASE = timedelta(seconds=30)
# How often it is looked for other calls while some are under way.
LOOK_SECONDS = 0.5
KEYS_FRESH_SECONDS = 10.0
# How long calls under way may take to finish when a worker stops.
CLOSING_SECONDS = 4.0
# The first attempt is made at once.
RETRIES = RetrySchedule(tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 900)))
# What the standard has applications answer, and what many do instead (section 2.8).
ACCEPTED = (200, 202, 204)
NO_RECEIVER = "The application takes no logout tokens any more."


@dataclass(frozen=True, slots=True)
class LogoutSender:
    """Sends what is due: one token for each session and application."""

    sessions: Sessions
    reads: Reads
    client: JsonClient
    signing_keys: SigningKeys
    tokens: LogoutTokens
    clock: Clock
    retries: RetrySchedule = RETRIES
    _calls: dict[asyncio.Task[None], Call] = field(default_factory=dict, repr=False)
    _lanes: Lanes = field(default_factory=Lanes, repr=False)
    _keys_read: list[float] = field(default_factory=list, repr=False)

    async def __call__(self) -> None:
        """Sends until nothing is due and nothing under way.

        It does not wait for slow applications before it looks for more.
        """
        while True:
            await self._look()
            if not self._calls:
                return
            await asyncio.wait(
                tuple(self._calls), timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            self._note_slow_ones()

    async def close(self) -> None:
        """Lets the calls under way finish, for a while; the rest is due again."""
        if self._calls:
            _, late = await asyncio.wait(tuple(self._calls), timeout=CLOSING_SECONDS)
            for task in late:
                task.cancel()
        await self.client.close()
        await self.reads.close()

    async def _look(self) -> None:
        """Starts what is due, as far as there are slots."""
        async with self.sessions.begin() as db:
            while ended := await take_session_ends(db, ENDS_AT_ONCE):
                await end_sessions(db, ended, self.clock())
        async with self.sessions() as db:
            due = await due_applications(db, self.clock())
        clients = await self._clients(due) if due else {}
        for application_id in due:
            self._lanes.add(application_id, _owner(application_id, clients))
        while found := self._lanes.next_turns():
            lane, turns = found
            # What is left from before, and is due no more, is not looked up.
            came = await self._claim({each: turns[each] for each in turns if each in due})
            for claim in came:
                self._start(claim, lane, clients)
            counts = Counter(claim.application_id for claim in came)
            for application_id, count in turns.items():
                if counts[application_id] < count:
                    lane.discard(application_id)

    async def _claim(self, turns: Mapping[UUID, int]) -> list[Claim]:
        now = self.clock()
        async with self.sessions.begin() as db:
            return await claim_due(db, turns, now=now, until=now + LEASE)

    async def _clients(self, application_ids: Sequence[UUID]) -> Mapping[str, Client]:
        """The applications, as they are now."""
        if not self._keys_read or time.monotonic() - self._keys_read[-1] > KEYS_FRESH_SECONDS:
            await self.signing_keys.load()
            self._keys_read[:] = [time.monotonic()]
        return await find_clients(self.reads, application_ids)

    def _start(self, claim: Claim, lane: FairQueue, clients: Mapping[str, Client]) -> None:
        owner = _owner(claim.application_id, clients)
        call = Call(claim, owner, lane, time.monotonic())
        self._lanes.begin(call)
        client = clients.get(str(claim.application_id))
        task = asyncio.get_running_loop().create_task(self._send(claim, client))
        self._calls[task] = call
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        call = self._calls.pop(task)
        self._lanes.end(call, was_quick=time.monotonic() - call.began < PATIENCE)

    def _note_slow_ones(self) -> None:
        now = time.monotonic()
        for call in self._calls.values():
            if now - call.began >= PATIENCE:
                self._lanes.outlast(call)

    async def _send(self, claim: Claim, client: Client | None) -> None:
        with log_failures("logout_not_recorded", logout_id=str(claim.logout_id)):
            if client is not None and client.takes_frontchannel_logouts_only:
                async with self.sessions.begin() as db:
                    await forget(db, claim)
                return
            if client is None or not client.backchannel_logout_uri:
                await self._settle(claim, self._ended(delivered=False, error=NO_RECEIVER))
                return
            attempt = f"{claim.logout_id} {claim.attempt_count}"
            now = self.clock()
            token = self.tokens.issue(client, claim.session_id, claim.user_id, attempt, now)
            form = {"logout_token": token}
            try:
                status = await self.client.notify(client.backchannel_logout_uri, form)
            except FetchFailedError as failure:
                await self._failed(claim, None, failure.detail)
                return
            if status in ACCEPTED:
                await self._settle(claim, self._ended(delivered=True, response_status=status))
            else:
                await self._failed(claim, status, f"it answered with {status}")

    async def _failed(self, claim: Claim, status: int | None, error: str) -> None:
        pause = self.retries.pause_after(claim.attempt_count + 1)
        changes = {"response_status": status, "error": error[:200]}
        if pause is None:
            await self._settle(claim, self._ended(delivered=False, **changes))
        else:
            await self._settle(claim, {"next_attempt_at": self.clock() + pause, **changes})
        log.warning("logout_failed", logout_id=str(claim.logout_id), given_up=pause is None)

    def _ended(self, **changes: Any) -> Mapping[str, Any]:
        ended = {"next_attempt_at": None, "settled_at": self.clock(), "error": ""}
        return {**ended, **changes}

    async def _settle(self, claim: Claim, changes: Mapping[str, Any]) -> None:
        async with self.sessions.begin() as db:
            await settle(db, claim, changes)


def _owner(application_id: UUID, clients: Mapping[str, Client]) -> UUID:
    """Whose share a call is of; one that is gone is not called."""
    client = clients.get(str(application_id))
    return client.organization_id if client else application_id
