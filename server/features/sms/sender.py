"""Sends the text messages that are due. The log knows one by its id, never by what is in it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from portico_kit.clock import Clock
from portico_kit.secrets import Secrets
from portico_kit.storage.base import Sessions
from portico_kit.tasks.failures import log_failures
from portico_kit.tasks.retries import RetrySchedule
from server.features.sms.message_queue import Claim, claim_due, record_failure, record_sent
from server.features.sms.models import PURPOSE
from server.features.sms.transport import (
    Sms,
    SmsError,
    SmsProviderError,
    SmsRefusedError,
    SmsTransport,
)

log = structlog.get_logger("sms")

BATCH = 10  # sent side by side
# Longer than handing over one can take.
LEASE = timedelta(minutes=1)
# Somebody waits for each: a code is of no use after ten minutes.
RETRIES = RetrySchedule(tuple(timedelta(seconds=seconds) for seconds in (10, 30, 120)))
CONSEQUENCE = "text messages wait, and are given up once they have expired"


class ExpiredError(SmsError):
    """The text message is of no use any more."""


@dataclass(slots=True)
class Provider:
    """What is known of the provider: a line in the log when that changes.

    Attributes:
        usable: None until it was used for the first time.
    """

    usable: bool | None = field(default=None, init=False)

    def succeeded(self) -> None:
        """Notes that it took a message."""
        if self.usable is False:
            log.info("sms_provider_available")
        self.usable = True

    def failed(self, error: Exception) -> None:
        """Notes that an attempt failed; what only one message was refused for is none of it."""
        if not isinstance(error, SmsProviderError):
            return
        if self.usable is not False:
            log.error("sms_provider_unavailable", error=str(error), consequence=CONSEQUENCE)
        self.usable = False


@dataclass(frozen=True, slots=True)
class SmsSender:
    """Sends text messages."""

    sessions: Sessions
    transport: SmsTransport
    secrets: Secrets
    clock: Clock
    provider: Provider = field(default_factory=Provider)
    retries: RetrySchedule = RETRIES

    async def __call__(self) -> None:
        """Sends until none is due."""
        while True:
            now = self.clock()
            async with self.sessions.begin() as db:
                claims = await claim_due(db, now=now, until=now + LEASE, limit=BATCH)
            await asyncio.gather(*map(self._send, claims))
            if len(claims) < BATCH:
                return

    async def _send(self, claim: Claim) -> None:
        with log_failures("sms_not_recorded", sms_id=str(claim.message_id)):
            try:
                if claim.expires_at <= self.clock():
                    raise ExpiredError("expired")
                provider_id = await self.transport.send(self._message(claim))
            except Exception as error:
                self.provider.failed(error)
                await self._put_off(claim, error)
            else:
                self.provider.succeeded()
                await self._done(claim, provider_id)

    def _message(self, claim: Claim) -> Sms:
        content = json.loads(self.secrets.unseal(PURPOSE, claim.sealed_content))
        return Sms(claim.message_id, content["number"], content["body"])

    async def _done(self, claim: Claim, provider_id: str) -> None:
        async with self.sessions.begin() as db:
            await record_sent(db, claim, provider_id, self.clock())
        log.info("sms_sent", sms_id=str(claim.message_id), provider_id=provider_id)

    async def _put_off(self, claim: Claim, error: Exception) -> None:
        """Of an error that is not ours only the kind is kept: its text may repeat the number."""
        described = str(error) if isinstance(error, SmsError) else type(error).__name__
        retry_at = self._retry_at(claim, error)
        async with self.sessions.begin() as db:
            await record_failure(db, claim, described[:100], retry_at)
        log.warning(
            "sms_failed",
            sms_id=str(claim.message_id),
            error=described,
            given_up=retry_at is None,
        )

    def _retry_at(self, claim: Claim, error: Exception) -> datetime | None:
        """When to try again; None if there is no point in it."""
        pause = self.retries.pause_after(claim.attempt_count + 1)
        if pause is None or isinstance(error, SmsRefusedError | ExpiredError):
            return None
        asked = error.retry_after if isinstance(error, SmsError) else None
        retry_at = self.clock() + max(pause, asked or pause)
        return retry_at if retry_at < claim.expires_at else None
