"""How imported secrets start, as the core tells it: no other foreign one is looked up."""

from __future__ import annotations

from collections.abc import Collection

from portico_kit.edge_state.imported_keys import EVERYBODY, FAMILIES_WHOLE, family, is_foreign


class Families:
    """What is known of them. Until the core has told all, every foreign secret may be one."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._told = False

    def learn(self, stored: Collection[str]) -> None:
        """Takes what lies in Valkey; while the core fills an emptied one, the known ones stay."""
        self._told = self._told or FAMILIES_WHOLE in stored
        found = frozenset(stored) - {FAMILIES_WHOLE}
        self._known = found if FAMILIES_WHOLE in stored else self._known | found

    def may_hold(self, secret: str) -> bool:
        """Whether a secret that is none of ours may be that of an imported key."""
        if not is_foreign(secret):
            return False
        return not self._told or EVERYBODY in self._known or family(secret) in self._known
