"""The master secret and the keys that are derived from it, one for each purpose."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MASTER_BYTES = 32
NONCE_BYTES = 12


class Secrets:
    """Derives keys (RFC 5869), computes keyed hashes and encrypts small texts.

    A purpose is a short fixed name, for example "api-key"; what is made for one
    purpose is of no use for another.
    """

    def __init__(self, master: bytes) -> None:
        """Takes the master secret, 32 bytes.

        Raises:
            ValueError: if it has another length.
        """
        if len(master) != MASTER_BYTES:
            raise ValueError(f"the secret key has {len(master)} bytes instead of {MASTER_BYTES}")
        self._master = master
        self._derived: dict[str, bytes] = {}

    @classmethod
    def from_base64(cls, text: str) -> Secrets:
        """Takes the master secret as base64.

        Raises:
            ValueError: if it is not base64 of 32 bytes.
        """
        try:
            return cls(base64.b64decode(text, validate=True))
        except binascii.Error as error:
            raise ValueError("the secret key is not base64") from error

    def derive(self, purpose: str) -> bytes:
        """The 32-byte key for a purpose."""
        key = self._derived.get(purpose)
        if key is None:
            key = HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(self._master)
            self._derived[purpose] = key
        return key

    def mac(self, purpose: str, text: str) -> bytes:
        """The HMAC-SHA-256 of a text under the key for a purpose."""
        return hmac.digest(self.derive(purpose), text.encode(), hashlib.sha256)

    def seal(self, purpose: str, plain: bytes) -> bytes:
        """Encrypts with AES-256-GCM; the nonce stands in front."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.derive(purpose)).encrypt(nonce, plain, purpose.encode())

    def unseal(self, purpose: str, sealed: bytes) -> bytes:
        """Decrypts what `seal` made for the same purpose.

        Raises:
            cryptography.exceptions.InvalidTag: if it was changed or sealed otherwise.
        """
        nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        return AESGCM(self.derive(purpose)).decrypt(nonce, body, purpose.encode())
