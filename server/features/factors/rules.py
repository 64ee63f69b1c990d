"""Pure rules about factors."""

from __future__ import annotations

from collections.abc import Collection

from portico_kit.assurance import METHODS, Assurance


def meets(kinds: Collection[str], level: Assurance) -> bool:
    """Whether somebody with factors of these kinds, beside a first one, can reach a level."""
    if level >= Assurance.PHISHING_RESISTANT:
        return any(METHODS[kind].resists_phishing for kind in kinds)
    return bool(kinds) or level <= Assurance.AAL1
