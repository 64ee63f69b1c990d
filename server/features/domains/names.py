"""The one form in which a domain is stored and compared."""

from __future__ import annotations

import re

import idna

from portico_kit.errors import invalid

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def domain_name(text: str) -> str:
    """A domain name in ASCII and lower case.

    Raises:
        InvalidRequestError: if it is none, or only a top-level domain, or an address.
    """
    name = text.strip().removesuffix(".").lower()
    try:
        name = idna.encode(name, uts46=True, std3_rules=True).decode()
    except idna.IDNAError:
        raise _invalid() from None
    labels = name.split(".")
    whole = len(labels) > 1 and len(name) <= 253 and all(map(_LABEL.fullmatch, labels))
    # What ends in a number is an IP address.
    if not whole or labels[-1].isdigit():
        raise _invalid()
    return name


def _invalid() -> Exception:
    return invalid("name", "INVALID_DOMAIN", "must be a domain name, as in example.com")
