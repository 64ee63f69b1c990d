"""Sends the mails that are due. The log knows a mail by its id, never by what is in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog

from portico_kit.clock import Clock
from portico_kit.secrets import Secrets
from portico_kit.storage.base import Sessions
from portico_kit.tasks.failures import log_failures
from portico_kit.tasks.retries import RETRIES, RetrySchedule
from server.common.mail import Mail
from server.features.emails.email_queue import Claim, claim_due, record_failure, record_sent
from server.features.emails.message import Message, UnwritableAddressError, build_message
from server.features.emails.models import EMAIL_PURPOSE
from server.features.emails.reachability import Reachability
from server.features.emails.rendering import render
from server.features.emails.smtp import RefusedError, Transport

log = structlog.get_logger("emails")

BATCH = 10  # mails sent side by side
# Longer than handing over one mail can take.
LEASE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class EmailSender:
    """Sends mails.

    Attributes:
        mails: every mail of the platform, by its name.
        sender: what stands in From.
        public_url: where the links lead.
        server: whether the mail server can be used.
    """

    sessions: Sessions
    transport: Transport
    secrets: Secrets
    clock: Clock
    mails: Mapping[str, Mail]
    sender: str
    public_url: str
    server: Reachability
    retries: RetrySchedule = RETRIES

    async def __call__(self) -> None:
        """Sends until no mail is due."""
        while True:
            now = self.clock()
            async with self.sessions.begin() as db:
                claims = await claim_due(db, now=now, until=now + LEASE, limit=BATCH)
            await asyncio.gather(*map(self._send, claims))
            if len(claims) < BATCH:
                return

    async def _send(self, claim: Claim) -> None:
        with log_failures("email_not_recorded", email_id=str(claim.email_id)):
            try:
                await self.transport.send(self._message(claim))
            except Exception as error:
                self.server.failed(error)
                await self._put_off(claim, error)
            else:
                self.server.succeeded()
                await self._done(claim)

    def _message(self, claim: Claim) -> Message:
        variables = json.loads(self.secrets.unseal(EMAIL_PURPOSE, claim.sealed_variables))
        mail = render(self.mails[claim.template], variables, self.public_url)
        return build_message(claim.email_id, self.sender, claim.recipient, mail, self.clock())

    async def _done(self, claim: Claim) -> None:
        async with self.sessions.begin() as db:
            await record_sent(db, claim, self.clock())
        log.info("email_sent", email_id=str(claim.email_id), template=claim.template)

    async def _put_off(self, claim: Claim, error: Exception) -> None:
        """Only the kind of an error is kept: what a mail server says repeats the address."""
        final = isinstance(error, RefusedError | UnwritableAddressError)
        pause = None if final else self.retries.pause_after(claim.attempt_count + 1)
        retry_at = None if pause is None else self.clock() + pause
        async with self.sessions.begin() as db:
            await record_failure(db, claim, type(error).__name__, retry_at)
        log.warning(
            "email_failed",
            email_id=str(claim.email_id),
            error=type(error).__name__,
            given_up=retry_at is None,
        )
