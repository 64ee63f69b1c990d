"""Tokens that carry a signature of ours in place of a row, and what they name."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass

from portico_kit.secrets import Secrets


@dataclass(frozen=True, slots=True)
class SignedTokens:
    """Makes and reads the tokens of one purpose.

    Attributes:
        purpose: what they are for; none of another purpose is good for it.
        body_bytes: how long is what they name.
        signature_bytes: how much of the keyed hash they carry; with the body a multiple of
            three, so that base64 has nothing to fill up.
    """

    secrets: Secrets
    purpose: str
    body_bytes: int
    signature_bytes: int

    def token(self, body: bytes) -> str:
        """The token that names something, always the same."""
        return _encode(body + self._signature(body))

    def body(self, token: str) -> bytes | None:
        """What a token names; None if it is none of ours.

        One thing has one token, though base64 is read in more than one spelling.
        """
        try:
            raw = base64.urlsafe_b64decode(token)
        except ValueError:
            return None
        body, signature = raw[: self.body_bytes], raw[self.body_bytes :]
        ours = hmac.compare_digest(signature, self._signature(body))
        return body if ours and _encode(raw) == token else None

    def _signature(self, body: bytes) -> bytes:
        return self.secrets.mac(self.purpose, body.hex())[: self.signature_bytes]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
