"""Secrets that other systems made: their form, and where the core tells the edge how they start.

The edge lets a secret of a foreign form pass to the core only if it starts like
that of an imported key. The core keeps these starts, the families, in one set in
Valkey; a message on a channel says that there are more.
"""

from __future__ import annotations

from portico_kit.tokens import OURS

SHORTEST = 16
LONGEST = 512
PREFIX_SHORTEST = 6
PREFIX_LONGEST = 32

FAMILIES = "portico:foreign-secrets:families"
FAMILIES_CHANNEL = "portico:foreign-secrets:families:changed"
# The member that says that the set is whole; Valkey may have been emptied.
FAMILIES_WHOLE = "whole"
# The family of all, in their place when they are too many to tell apart.
EVERYBODY = ""
MOST_FAMILIES = 1000


def is_foreign(secret: str) -> bool:
    """Whether a secret has the form that those of imported keys have."""
    return (
        SHORTEST <= len(secret) <= LONGEST
        and secret.isascii()
        and secret.isprintable()
        and " " not in secret
        and not secret.startswith(OURS)
    )


def family(secret: str) -> str:
    """How a secret, or its prefix, starts."""
    return secret[:PREFIX_SHORTEST]


def possible_prefixes(secret: str) -> list[str]:
    """What the prefix of a secret may be, if it was imported."""
    return [secret[:length] for length in range(PREFIX_SHORTEST, PREFIX_LONGEST + 1)]
