"""Codes of six digits: made, kept as keyed hashes, used once."""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from portico_kit.call import Call
from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from server.features.factor_codes.errors import CodeSentRecentlyError
from server.features.factor_codes.models import CODE_LIFETIME, RESEND_AFTER
from server.features.factor_codes.repository import CodeRepository, CodeSubject, NewCode

PURPOSE = "factor-code"
DIGITS = 6


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code to send.

    Attributes:
        id: by which its use is known again.
    """

    id: UUID
    digits: str = field(repr=False)
    expires_at: datetime

    def valid_for(self, now: datetime) -> str:
        """For how long it is good, as a text says it: "10 minutes"."""
        minutes = max(1, int((self.expires_at - now).total_seconds()) // 60)
        return f"{minutes} minute{'s' if minutes > 1 else ''}"


class Codes:
    """Makes codes and holds what people type in against them."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def issue(
        self,
        subject: CodeSubject,
        destination: str,
        call: Call,
        *,
        code_id: UUID | None = None,
        sealed_number: bytes | None = None,
        until: datetime | None = None,
        at_once: bool = False,
    ) -> IssuedCode:
        """A new code; the one before is void.

        Args:
            destination: the address or number that it is sent to, and alone good for.
            code_id: if it is known already.
            sealed_number: the number that is being enrolled.
            until: when what it is for is over.
            at_once: whether something else sees to it that not too many are sent.

        Raises:
            CodeSentRecentlyError: if one was sent within the last minute.
        """
        digits = f"{random.randbelow(10**DIGITS):0{DIGITS}}"
        expires_at = min(call.now + CODE_LIFETIME, until or call.now + CODE_LIFETIME)
        code = NewCode(
            id=code_id or new_id(),
            code_hash=self._hash(subject, destination, digits),
            sealed_number=sealed_number,
            sent_at=call.now,
            expires_at=expires_at,
        )
        repository = CodeRepository(call.db)
        if not await repository.replace(subject, code, at_once=at_once):
            sent_at = await repository.sent_at(subject) or call.now
            raise CodeSentRecentlyError(retry_after=sent_at + RESEND_AFTER - call.now)
        return IssuedCode(code.id, digits, expires_at)

    async def use(
        self, subject: CodeSubject, destination: str, digits: str, call: Call
    ) -> UUID | None:
        """Uses a code up and returns its id; None if it is wrong, which is counted."""
        hashed = self._hash(subject, destination, digits)
        return await CodeRepository(call.db).use(subject, hashed, call.now)

    def _hash(self, subject: CodeSubject, destination: str, digits: str) -> bytes:
        """What is kept. Six digits are soon guessed by whoever has the key, and by nobody else."""
        text = f"{subject.purpose} {subject.method} {subject.id} {destination} {digits}"
        return self._secrets.mac(PURPOSE, text)
