"""Challenges: what a passkey signs, so that no answer is good for another question.

A challenge carries what it is for and how long it is valid under a keyed hash, so that
asking for one stores nothing: a sign-in page asks each time that it is opened, and so can
anybody. What is stored is which ones were used, and only who has a passkey can use one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from portico_kit.call import Call
from portico_kit.secrets import Secrets
from server.features.passkeys.errors import PasskeyChallengeInvalidError
from server.features.passkeys.repository import PasskeyRepository

Ceremony = Literal["registration", "sign-in", "factor"]

LIFETIME = timedelta(minutes=5)

_PURPOSE = "passkey-challenge"
_RANDOM_BYTES = 32
_EXPIRY_BYTES = 8
_BODY_BYTES = _RANDOM_BYTES + _EXPIRY_BYTES


@dataclass(frozen=True, slots=True)
class Challenges:
    """Makes challenges, and takes each once."""

    secrets: Secrets

    def new(self, ceremony: Ceremony, bound_to: str, now: datetime) -> bytes:
        """A new one.

        Args:
            bound_to: the session or the question that it belongs to; it is of no use in another.
        """
        expiry = _milliseconds(now + LIFETIME).to_bytes(_EXPIRY_BYTES)
        body = os.urandom(_RANDOM_BYTES) + expiry
        return body + self._hash(ceremony, bound_to, body)

    def require_valid(
        self, challenge: bytes, ceremony: Ceremony, bound_to: str, now: datetime
    ) -> None:
        """Lets through only what `new` made for the same, and not too long ago.

        Raises:
            PasskeyChallengeInvalidError: if it is something else.
        """
        body, ours = challenge[:_BODY_BYTES], challenge[_BODY_BYTES:]
        if not hmac.compare_digest(ours, self._hash(ceremony, bound_to, body)):
            raise PasskeyChallengeInvalidError
        if _expiry(challenge) <= _milliseconds(now):
            raise PasskeyChallengeInvalidError

    async def use(self, challenge: bytes, call: Call) -> None:
        """Uses up one that is valid, in the call's transaction.

        Raises:
            PasskeyChallengeInvalidError: if it was used before.
        """
        digest = hashlib.sha256(challenge).digest()
        # Not the exact moment that it says: it is only to be forgotten some day.
        if not await PasskeyRepository(call.db).use_challenge(digest, call.now + LIFETIME):
            raise PasskeyChallengeInvalidError

    def _hash(self, ceremony: Ceremony, bound_to: str, body: bytes) -> bytes:
        return self.secrets.mac(_PURPOSE, f"{ceremony} {bound_to} {body.hex()}")


def _expiry(challenge: bytes) -> int:
    return int.from_bytes(challenge[_RANDOM_BYTES:_BODY_BYTES])


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
