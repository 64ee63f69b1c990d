"""Knows whom keys stand for: remembers, and asks the core once for what it does not know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Protocol

from edge.authorize.cache import Cache, Digest, digest
from edge.authorize.families import Families
from edge.authorize.principal import Outcome, Refused, Unavailable
from portico_kit.tokens import parse_api_key

# A refused secret that may be an imported key's is answered no sooner: a bcrypt hash takes time,
# and by it a stranger could tell whose prefixes there are.
FOREIGN_REFUSAL_SECONDS = 0.5


class Verifier(Protocol):
    """Knows every key; asking it is costly."""

    async def verify(self, secret: str) -> Outcome:
        """Says whom a secret stands for. Never raises."""
        ...


class Directory:
    """Looks keys up.

    It remembers answers only while it is sure to hear of changes: between
    `trust` and `distrust`.
    """

    def __init__(self, verifier: Verifier, cache: Cache, families: Families) -> None:
        self._verifier = verifier
        self._cache = cache
        self._families = families
        self._lookups: dict[Digest, asyncio.Task[Outcome]] = {}
        self._trusted = False
        # Counts the changes heard of. An answer that one of them overtook is not kept.
        self._changes = 0

    async def find(self, secret: str) -> Outcome:
        """Whom a secret stands for. However many ask at once, the core is asked once."""
        foreign = parse_api_key(secret) is None
        if foreign and not self._families.may_hold(secret):
            return Refused()
        name = digest(secret)
        known = self._cache.get(name)
        if known is not None:
            return known
        lookup = self._lookups.get(name)
        if lookup is None:
            lookup = self._lookups[name] = asyncio.create_task(
                self._look_up(name, secret, foreign=foreign)
            )
        # Shielded, for a caller that hangs up must not take the answer from the others.
        return await asyncio.shield(lookup)

    async def _look_up(self, name: Digest, secret: str, *, foreign: bool) -> Outcome:
        asked_at, earliest = self._changes, time.monotonic() + FOREIGN_REFUSAL_SECONDS
        try:
            outcome = await self._verifier.verify(secret)
            if foreign and isinstance(outcome, Refused):
                await asyncio.sleep(max(0.0, earliest - time.monotonic()))
            current = self._trusted and asked_at == self._changes
            if current and not isinstance(outcome, Unavailable):
                self._cache.put(name, outcome)
            return outcome
        finally:
            if self._lookups.get(name) is asyncio.current_task():
                del self._lookups[name]

    def trust(self) -> None:
        """From now on every change is heard of."""
        self._changed()
        self._trusted = True

    def distrust(self) -> None:
        """Changes may be missed from now on, so nothing is remembered."""
        self._trusted = False
        self._changed()
        self._cache.clear()

    def drop(self, owner: str) -> None:
        """A key, or an organization, has changed: what is known of it no longer holds."""
        self._changed()
        self._cache.drop(owner)

    def learn(self, families: Collection[str]) -> None:
        """Keys were imported: secrets that start like these may be theirs, even refused ones."""
        self._families.learn(families)
        self._changed()
        self._cache.forget_refusals()

    def _changed(self) -> None:
        """Whoever asks from now on gets an answer that is newer than the change."""
        self._changes += 1
        self._lookups.clear()
