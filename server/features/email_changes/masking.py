"""An address as a mail to another address shows it."""

from __future__ import annotations


def masked(email: str) -> str:
    """Enough of an address for its owner to recognize it: "a***@example.com"."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1] if len(local) > 1 else ''}***@{domain}"
