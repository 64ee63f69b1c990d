"""Imported keys: the form of their secrets, and their short prefixes as the edge reads them.

The edge asks the core about a foreign secret only if it starts like that of an
imported key. The core keeps the first characters of all prefixes, the short prefixes, in
one set in Valkey; a message on a channel says that there are more.
"""

from __future__ import annotations

from portico_kit.tokens import OURS

SHORTEST = 16
LONGEST = 512
PREFIX_SHORTEST = 6
PREFIX_LONGEST = 32

IMPORTED_PREFIXES = "portico:foreign-secrets:families"
IMPORTED_PREFIXES_CHANNEL = "portico:foreign-secrets:families:changed"
# The member that says that the set is complete; Valkey may have been emptied.
PREFIXES_COMPLETE = "whole"
# Matches every secret; stored in place of short prefixes beyond the maximum.
ANY_PREFIX = ""
MAX_SHORT_PREFIXES = 1000


def is_foreign(secret: str) -> bool:
    """Whether a secret has the form that those of imported keys have."""
    return (
        SHORTEST <= len(secret) <= LONGEST
        and secret.isascii()
        and secret.isprintable()
        and " " not in secret
        and not secret.startswith(OURS)
    )


def short_prefix(secret: str) -> str:
    """The first characters of a secret, or of its prefix."""
    return secret[:PREFIX_SHORTEST]


def possible_prefixes(secret: str) -> list[str]:
    """Each prefix that a secret may have been imported with."""
    return [secret[:length] for length in range(PREFIX_SHORTEST, PREFIX_LONGEST + 1)]
