"""The forms in which passwords are stored: which algorithm, at which cost, keyed or not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import unicodedata
from dataclasses import dataclass

import bcrypt

from portico_kit.secrets import Secrets

PURPOSE = "password"
# Stands before a hash that was made of a keyed pre-hash, the first form of them.
KEYED = "k1"
# What OWASP's cheat sheet on password storage names first for Argon2id.
MEMORY_KIB = 19 * 1024
PASSES = 2
SALT_BYTES = 16
HASH_BYTES = 32
# How long a hash takes before one was measured, in seconds.
BCRYPT_10_SECONDS = 0.055
ARGON2ID_SECONDS = 0.031


@dataclass(frozen=True, slots=True)
class Bcrypt:
    """Bcrypt.

    Attributes:
        rounds: its cost; each step more doubles the time.
    """

    rounds: int = 10

    @property
    def usual_seconds(self) -> float:
        """How long a hash takes, roughly."""
        return float(BCRYPT_10_SECONDS * 2 ** (self.rounds - 10))

    def hash(self, material: bytes) -> str:
        """The hash, with its parameters and a new salt."""
        return bcrypt.hashpw(material, bcrypt.gensalt(self.rounds)).decode()

    def verify(self, material: bytes, encoded: str) -> bool:
        """Whether the hash is of this material."""
        return bcrypt.checkpw(material, encoded.encode())

    def of_nothing(self) -> str:
        """A hash that nothing has, and that takes as long to verify."""
        return bcrypt.gensalt(self.rounds).decode() + "." * 31


@dataclass(frozen=True, slots=True)
class Argon2id:
    """Argon2id with one lane.

    Attributes:
        memory_kib: what a hash fills meanwhile.
        passes: how often it goes through it.
    """

    memory_kib: int = MEMORY_KIB
    passes: int = PASSES

    @property
    def usual_seconds(self) -> float:
        """How long a hash takes, roughly."""
        return ARGON2ID_SECONDS * self.memory_kib * self.passes / (MEMORY_KIB * PASSES)

    def hash(self, material: bytes) -> str:
        """The hash, with its parameters and a new salt."""
        from argon2.low_level import Type, hash_secret

        salt = os.urandom(SALT_BYTES)
        return hash_secret(
            material, salt, self.passes, self.memory_kib, 1, HASH_BYTES, Type.ID
        ).decode()

    def verify(self, material: bytes, encoded: str) -> bool:
        """Whether the hash is of this material."""
        from argon2.exceptions import VerifyMismatchError
        from argon2.low_level import Type, verify_secret

        try:
            return verify_secret(encoded.encode(), material, Type.ID)
        except VerifyMismatchError:
            return False

    def of_nothing(self) -> str:
        """A hash that nothing has, and that takes as long to verify."""
        salt, digest = (
            base64.b64encode(bytes(size)).decode().rstrip("=") for size in (SALT_BYTES, HASH_BYTES)
        )
        return f"$argon2id$v=19$m={self.memory_kib},t={self.passes},p=1${salt}${digest}"


Algorithm = Bcrypt | Argon2id


@dataclass(frozen=True, slots=True)
class StoredHash:
    """A hash as it is stored, taken apart.

    Attributes:
        algorithm: with the cost that it was made with.
        keyed: whether it was made of the keyed pre-hash; 0.1 made none.
        encoded: the hash, in the algorithm's own notation.
    """

    algorithm: Algorithm
    keyed: bool
    encoded: str

    @classmethod
    def read(cls, stored: str) -> StoredHash:
        """Takes a stored hash apart.

        Raises:
            ValueError: if it is in none of the known forms.
        """
        keyed = stored.startswith(KEYED + "$")
        encoded = stored.removeprefix(KEYED)
        if encoded.startswith("$2b$"):
            return cls(Bcrypt(int(encoded.split("$")[2])), keyed, encoded)
        if keyed and encoded.startswith("$argon2id$"):
            return cls(_argon2id(encoded), keyed, encoded)
        raise ValueError("the stored password hash is in no known form")


def pre_hash(password: str, secrets: Secrets) -> bytes:
    """What the algorithm is given: 64 characters that nobody can compute without the secret key.

    Bcrypt sees no more than 72 bytes and stops at a NUL; base64 of a HMAC-SHA-384 has
    neither. The same letters can be typed in more than one form of Unicode, so they are
    brought into one (NFKC) before.
    """
    digest = hmac.digest(secrets.derive(PURPOSE), _normal(password), hashlib.sha384)
    return base64.b64encode(digest)


def bare_pre_hash(password: str) -> bytes:
    """The same without a key, which 0.1 gave to bcrypt."""
    return base64.b64encode(hashlib.sha384(_normal(password)).digest())


def _argon2id(encoded: str) -> Argon2id:
    from argon2 import extract_parameters

    found = extract_parameters(encoded)
    return Argon2id(found.memory_cost, found.time_cost)


def _normal(password: str) -> bytes:
    return unicodedata.normalize("NFKC", password).encode()
