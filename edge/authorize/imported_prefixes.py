"""Filters foreign secrets by how those of imported keys start, so that few reach the core."""

from __future__ import annotations

from collections.abc import Collection

from portico_kit.edge_state.imported_keys import (
    ANY_PREFIX,
    PREFIXES_COMPLETE,
    is_foreign,
    short_prefix,
)


class PrefixFilter:
    """The short prefixes of imported keys. Until they are complete, any secret may match."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._is_complete = False

    def update(self, stored: Collection[str]) -> None:
        """Takes the set in Valkey; the known ones stay while the core fills an emptied Valkey."""
        is_complete = PREFIXES_COMPLETE in stored
        self._is_complete = self._is_complete or is_complete
        found = frozenset(stored) - {PREFIXES_COMPLETE}
        self._known = found if is_complete else self._known | found

    def may_match(self, secret: str) -> bool:
        """Whether a secret may be that of an imported key."""
        if not is_foreign(secret):
            return False
        if not self._is_complete or ANY_PREFIX in self._known:
            return True
        return short_prefix(secret) in self._known
