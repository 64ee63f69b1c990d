"""Resolves API keys: from memory, or by one question for all who ask at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

from edge.authorize.cache import Cache, Digest, digest
from edge.authorize.imported_prefixes import PrefixFilter
from edge.authorize.shared_cache import SharedCache
from edge.authorize.verified_key import Outcome, Refused, Unavailable
from portico_kit.tokens import parse_api_key

# The shortest time until a foreign secret is refused: the core may compute a bcrypt hash for
# it, and a faster answer would disclose which prefixes exist.
FOREIGN_REFUSAL_SECONDS = 0.5


class KeyResolver:
    """Finds out which API key a secret belongs to.

    It remembers answers only while it receives every change: between `on_connected` and
    `on_disconnected`.
    """

    def __init__(self, source: SharedCache, cache: Cache, prefixes: PrefixFilter) -> None:
        self._source = source
        self._cache = cache
        self._prefixes = prefixes
        self._lookups: dict[Digest, asyncio.Task[Outcome]] = {}
        self._connected = False
        # Counts the changes. An answer from before a change is not kept after it.
        self._changes = 0

    async def resolve(self, secret: str) -> Outcome:
        """The key of a secret. However many ask at once, there is one look-up."""
        foreign = parse_api_key(secret) is None
        if foreign and not self._prefixes.may_match(secret):
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
        # Shielded, for a caller that cancels must not cancel it for the others.
        return await asyncio.shield(lookup)

    def on_connected(self) -> None:
        """Every change is received from now on."""
        self._changed()
        self._connected = True

    def on_disconnected(self) -> None:
        """Changes may be missed from now on, so nothing is remembered."""
        self._connected = False
        self._changed()
        self._cache.clear()

    def invalidate(self, owner: str) -> None:
        """Forgets what is known of a key, or of an organization, that has changed."""
        self._changed()
        self._cache.drop(owner)

    def update_prefixes(self, prefixes: Collection[str]) -> None:
        """Keys were imported: secrets with these prefixes may be theirs, even refused ones."""
        self._prefixes.update(prefixes)
        self._changed()
        self._cache.forget_refusals()

    async def _look_up(self, name: Digest, secret: str, *, foreign: bool) -> Outcome:
        changes, earliest = self._changes, time.monotonic() + FOREIGN_REFUSAL_SECONDS
        try:
            outcome = await self._source.look_up(secret)
            if foreign and isinstance(outcome, Refused):
                await asyncio.sleep(max(0.0, earliest - time.monotonic()))
            is_current = self._connected and changes == self._changes
            if is_current and not isinstance(outcome, Unavailable):
                self._cache.put(name, outcome)
            return outcome
        finally:
            if self._lookups.get(name) is asyncio.current_task():
                del self._lookups[name]

    def _changed(self) -> None:
        """Later callers get an answer that is newer than the change."""
        self._changes += 1
        self._lookups.clear()
