"""The hashes of other systems: how they are kept, and whether a secret is theirs."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

import bcrypt
from portico.keys.v1.api_key_import_pb2 import ApiKeyImport

HMAC_SHA256 = "hmac_sha256"
SHA256 = "sha256"
BCRYPT = "bcrypt"

DIGEST_BYTES = 32
# bcrypt sees no more, and neither did the system that the hash comes from.
BCRYPT_BYTES = 72


@dataclass(frozen=True, slots=True)
class ImportedHash:
    """A hash, with all that is needed to compute it.

    Attributes:
        material: the digest; with HMAC, the key after it; with bcrypt, its whole text.
    """

    algorithm: str
    material: bytes = field(repr=False)

    @property
    def slow(self) -> bool:
        """Whether to compute it takes a processor for longer than a call may hold one."""
        return self.algorithm == BCRYPT

    def matches(self, secret: str) -> bool:
        """Whether it is the hash of this secret."""
        plain = secret.encode()
        if self.algorithm == SHA256:
            return hmac.compare_digest(hashlib.sha256(plain).digest(), self.material)
        if self.algorithm == HMAC_SHA256:
            digest, key = self.material[:DIGEST_BYTES], self.material[DIGEST_BYTES:]
            return hmac.compare_digest(hmac.digest(key, plain, hashlib.sha256), digest)
        return bcrypt.checkpw(plain[:BCRYPT_BYTES], self.material)


def imported_hash(key: ApiKeyImport, hmac_key: bytes) -> ImportedHash:
    """The hash that a request carries for a key."""
    algorithm = key.WhichOneof("hash")
    if algorithm == SHA256:
        return ImportedHash(SHA256, key.sha256)
    if algorithm == HMAC_SHA256:
        return ImportedHash(HMAC_SHA256, key.hmac_sha256 + hmac_key)
    return ImportedHash(BCRYPT, key.bcrypt.encode())
