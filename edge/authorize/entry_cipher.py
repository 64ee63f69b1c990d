"""Encrypts what the edge shares in Valkey, so that it is of no use to its other readers.

Names and encryption keys are derived from the API key's own secret and from a secret
that only our services have. A reader of Valkey has neither: it can decrypt no entry, and
cannot even test guesses.
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PURPOSE = b"shared-api-keys"
NONCE_BYTES = 12


class EntryCipher:
    """Names and encrypts entries, one for each API key's secret."""

    def __init__(self, internal_token: str) -> None:
        """Takes the secret that our own services share."""
        self._pepper = hmac.digest(internal_token.encode(), PURPOSE, sha256)

    def name(self, secret: str) -> str:
        """The name of the entry for a secret."""
        return self._derive(b"name", secret).hex()

    def encrypt(self, secret: str, plaintext: bytes) -> bytes:
        """Encrypts with AES-256-GCM; only the secret decrypts it."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher(secret).encrypt(nonce, plaintext, PURPOSE)

    def decrypt(self, secret: str, encrypted: bytes) -> bytes | None:
        """The plaintext; None if it is another secret's, or was changed since."""
        nonce, ciphertext = encrypted[:NONCE_BYTES], encrypted[NONCE_BYTES:]
        try:
            return self._cipher(secret).decrypt(nonce, ciphertext, PURPOSE)
        except (InvalidTag, ValueError):
            return None

    def _cipher(self, secret: str) -> AESGCM:
        return AESGCM(self._derive(b"key", secret))

    def _derive(self, use: bytes, secret: str) -> bytes:
        return hmac.digest(self._pepper, use + b":" + secret.encode(), sha256)
