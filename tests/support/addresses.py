"""Client addresses that nobody has called from, so that no other test uses up their limits."""

from __future__ import annotations

import itertools

_numbers = itertools.count(1)


def new_address() -> str:
    """An IPv4 address of a private network, a new one at each call."""
    number = next(_numbers)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
