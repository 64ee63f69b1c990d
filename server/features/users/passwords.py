"""Password hashes: bcrypt, in threads of its own."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import unicodedata
from collections.abc import Callable
from typing import TypeVar

import bcrypt

from portico_kit.threads import low_priority_executor

T = TypeVar("T")


class Passwords:
    """Hashes and verifies passwords.

    A hash takes a processor for a quarter of a second and bcrypt lets go of the
    interpreter meanwhile, so it runs in threads, one for each processor, and the rest
    waits in line. The threads step back for everything else on the machine: a rush
    of sign-ins takes what is left over, and other calls hardly feel it.
    """

    def __init__(self, rounds: int) -> None:
        """Takes bcrypt's cost: each step more doubles the time."""
        self._rounds = rounds
        # Of the right form and the hash of nothing, to spend the same time on.
        self._nobodys = bcrypt.gensalt(rounds).decode() + "." * 31
        self._threads = low_priority_executor(os.cpu_count() or 1, "passwords")

    async def hash(self, password: str) -> str:
        """The hash to store."""
        salt = bcrypt.gensalt(self._rounds)
        return await self._run(lambda: bcrypt.hashpw(_digest(password), salt).decode())

    async def verify(self, password: str, stored: str) -> bool:
        """Whether the hash is of this password."""
        return await self._run(lambda: bcrypt.checkpw(_digest(password), stored.encode()))

    async def verify_nothing(self, password: str) -> bool:
        """Takes the time of `verify`; for an address that has no password. Never true."""
        await self.verify(password, self._nobodys)
        return False

    def needs_rehash(self, stored: str) -> bool:
        """Whether the hash was made with another cost than the one that is set now."""
        return int(stored.split("$")[2]) != self._rounds

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _digest(password: str) -> bytes:
    """What bcrypt is given, 64 characters for any password.

    bcrypt sees no more than 72 bytes and stops at a NUL; SHA-384 in base64 has
    neither. The same letters can be typed in more than one form of Unicode, so
    they are brought into one (NFKC) before.
    """
    normal = unicodedata.normalize("NFKC", password).encode()
    return base64.b64encode(hashlib.sha384(normal).digest())
