"""The cache of secrets in this process: bounded, short-lived, and by digest only.

A secret in memory is a secret in a core dump, so entries are found by a keyed hash of
the secret. The key is the process's own, for an imported secret may be guessable.
"""

from __future__ import annotations

import os
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from edge.authorize.verified_key import Refused, VerifiedKey
from portico_kit.clock import Clock

KEY_TTL = timedelta(minutes=5)
# Long enough to protect the core, too short to be noticed.
REFUSED_TTL = timedelta(seconds=10)
# A token must be valid for longer than the request that it is given to.
TOKEN_MARGIN = timedelta(seconds=10)
# Of verified keys, and of refusals.
CAPACITY = 10_000

Digest = bytes
_KEY = os.urandom(32)


def digest(secret: str) -> Digest:
    """The name of a secret's entry."""
    return blake2b(secret.encode(), digest_size=32, key=_KEY).digest()


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is known of a secret, and until when."""

    known: VerifiedKey | Refused
    until: datetime


class Cache:
    """Evicts the least recently used entries; made-up secrets cannot evict genuine ones."""

    def __init__(self, clock: Clock, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._keys: OrderedDict[Digest, _Entry] = OrderedDict()
        self._refused: OrderedDict[Digest, _Entry] = OrderedDict()
        # The digests that a change of a key, or of an organization, invalidates.
        self._owned: defaultdict[str, set[Digest]] = defaultdict(set)

    def get(self, name: Digest) -> VerifiedKey | Refused | None:
        """What is known of a secret, if anything."""
        for entries in (self._keys, self._refused):
            entry = entries.get(name)
            if entry is None:
                continue
            if entry.until <= self._clock():
                self._remove(name)
                return None
            entries.move_to_end(name)
            return entry.known
        return None

    def put(self, name: Digest, known: VerifiedKey | Refused) -> None:
        """Remembers the answer of the core, for as long as it may be kept."""
        self._remove(name)
        now = self._clock()
        if isinstance(known, Refused):
            self._insert(self._refused, name, _Entry(known, now + REFUSED_TTL))
            return
        until = min(now + KEY_TTL, known.expires_at - TOKEN_MARGIN)
        if until > now:
            self._insert(self._keys, name, _Entry(known, until))
            self._owned[known.key_id].add(name)
            self._owned[known.organization_id].add(name)

    def drop(self, owner: str) -> None:
        """Forgets the secrets of a key, or of all keys of an organization."""
        for name in list(self._owned.get(owner, ())):
            self._remove(name)

    def forget_refusals(self) -> None:
        """Forgets which secrets were refused."""
        self._refused.clear()

    def clear(self) -> None:
        """Forgets everything."""
        self._keys.clear()
        self._refused.clear()
        self._owned.clear()

    def __len__(self) -> int:
        return len(self._keys) + len(self._refused)

    def _insert(self, entries: OrderedDict[Digest, _Entry], name: Digest, entry: _Entry) -> None:
        if len(entries) >= self._capacity:
            self._remove(next(iter(entries)))
        entries[name] = entry

    def _remove(self, name: Digest) -> None:
        self._refused.pop(name, None)
        entry = self._keys.pop(name, None)
        if entry is None or isinstance(entry.known, Refused):
            return
        for owner in (entry.known.key_id, entry.known.organization_id):
            owned = self._owned[owner]
            owned.discard(name)
            if not owned:
                del self._owned[owner]
