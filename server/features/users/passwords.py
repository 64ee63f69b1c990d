"""Hashes and verifies passwords, in the form that is set and in those that are stored."""

from __future__ import annotations

import asyncio
import os
import time

from portico_kit.secrets import Secrets
from server.features.users.hashing_queue import HashingQueue, Kind
from server.features.users.password_hashes import (
    KEYED,
    Algorithm,
    StoredHash,
    bare_pre_hash,
    pre_hash,
)

# The weight of the newest measurement in an average.
WEIGHT = 0.2


class Passwords:
    """Hashes and verifies passwords.

    Each hash takes a processor for a while, so it waits in a queue for one of as many
    threads as there are processors. Call it before the call's first query: whoever waits
    must keep no connection from others.
    """

    def __init__(self, secrets: Secrets, algorithm: Algorithm) -> None:
        """Takes the secret key that hashes are made under, and how new ones are made."""
        self._secrets = secrets
        self._algorithm = algorithm
        self._queue = HashingQueue(os.cpu_count() or 1)
        # Of the right form and the hash of nothing, to spend the same time on.
        self._nobodys = KEYED + algorithm.of_nothing()
        # Processor time of a verification, by algorithm.
        self._seconds: dict[Algorithm, float] = {}

    async def hash(self, password: str) -> str:
        """The hash to store.

        Raises:
            UnavailableError: if too many wait.
        """
        material = pre_hash(password, self._secrets)
        return await self._queue.run(
            _kind(self._algorithm), lambda: KEYED + self._algorithm.hash(material)
        )

    async def verify(self, password: str, stored: str) -> bool:
        """Whether the hash is of this password.

        A wrong one is answered after the time of the slowest form that is stored: what is
        left of a former setting must not show who has an account.

        Raises:
            UnavailableError: if too many wait.
        """
        found = StoredHash.read(stored)
        material = pre_hash(password, self._secrets) if found.keyed else bare_pre_hash(password)
        right, seconds = await self._queue.run(
            _kind(found.algorithm), lambda: _timed(found, material)
        )
        self._note(found.algorithm, seconds)
        if not right:
            slowest = max(self._seconds.values())
            await asyncio.sleep(slowest - self._seconds[found.algorithm])
        return right

    async def verify_nothing(self, password: str) -> bool:
        """Takes the time of `verify`; for an address that has no password. Never true.

        Raises:
            UnavailableError: if too many wait.
        """
        await self.verify(password, self._nobodys)
        return False

    def needs_rehash(self, stored: str) -> bool:
        """Whether the hash was made otherwise than is set now."""
        found = StoredHash.read(stored)
        return not found.keyed or found.algorithm != self._algorithm

    def _note(self, algorithm: Algorithm, seconds: float) -> None:
        average = self._seconds.get(algorithm, seconds)
        self._seconds[algorithm] = average + WEIGHT * (seconds - average)


def _kind(algorithm: Algorithm) -> Kind:
    return Kind(algorithm, algorithm.usual_seconds)


def _timed(found: StoredHash, material: bytes) -> tuple[bool, float]:
    """Whether they match, and the processor time that it took."""
    began = time.thread_time()
    right = found.algorithm.verify(material, found.encoded)
    return right, time.thread_time() - began
