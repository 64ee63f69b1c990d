"""Identifiers: UUIDv7 (RFC 9562, section 5.7), so that ids sort by the time they were made."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new UUIDv7."""
    return uuid7()


def parse_id(text: str) -> UUID:
    """The id that `text` spells; the contract's rules have checked its form before."""
    return UUID(text)


def earliest_id(moment: datetime) -> UUID:
    """Sorts before every id made at or after a moment, and after those made before."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
