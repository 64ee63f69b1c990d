"""Makes what the edge shares in Valkey useless to whoever reads it there.

Names and keys are made of the API key's own secret and of a secret that only
our services have. A reader of Valkey has neither: it can open no entry, and
cannot even try out guesses.
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PURPOSE = b"shared-api-keys"
NONCE_BYTES = 12


class Seals:
    """Names and seals entries, one for each API key's secret."""

    def __init__(self, internal_token: str) -> None:
        """Takes the secret that our own services share."""
        self._pepper = hmac.digest(internal_token.encode(), PURPOSE, sha256)

    def name(self, secret: str) -> str:
        """What the entry for a secret is called."""
        return self._derive(b"name", secret).hex()

    def seal(self, secret: str, plain: bytes) -> bytes:
        """Encrypts with AES-256-GCM; only who presents the secret can undo it."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher(secret).encrypt(nonce, plain, PURPOSE)

    def open(self, secret: str, sealed: bytes) -> bytes | None:
        """What was sealed for this secret; None if it was not, or was changed since."""
        nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher(secret).decrypt(nonce, body, PURPOSE)
        except (InvalidTag, ValueError):
            return None

    def _cipher(self, secret: str) -> AESGCM:
        return AESGCM(self._derive(b"key", secret))

    def _derive(self, use: bytes, secret: str) -> bytes:
        return hmac.digest(self._pepper, use + b":" + secret.encode(), sha256)
