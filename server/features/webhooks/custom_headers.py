"""Headers that a webhook sends beside those of the platform, for example a receiver's password.

Names are shown; values are written and never read: they are sealed in the row, and only the
worker that sends them unseals them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from portico_kit.errors import FieldViolation, InvalidRequestError, invalid
from portico_kit.secrets import Secrets

PURPOSE = "webhook-headers"
# Names and values together, in characters.
MAX_LENGTH = 4096

# What belongs to the connection (RFC 9110, section 7.6.1; RFC 9113, section 8.2.2), describes
# the message or is set by the client itself.
FORBIDDEN = frozenset(
    {
        "accept-encoding",
        "connection",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
FORBIDDEN_PREFIXES = ("content-", "webhook-")


class Header(Protocol):
    """A header as a request gives it."""

    @property
    def name(self) -> str:
        """The name, a token."""
        ...

    @property
    def value(self) -> str:
        """The value, visible characters."""
        ...


def check(headers: Sequence[Header]) -> None:
    """Holds the headers of a webhook against the rules that concern more than one character.

    Raises:
        InvalidRequestError: naming each header that breaks one by its place in the list.
    """
    violations = tuple(_violations(headers))
    if violations:
        raise InvalidRequestError(violations=violations)
    if sum(len(header.name) + len(header.value) for header in headers) > MAX_LENGTH:
        raise invalid("headers", "HEADERS_TOO_LONG", "must have at most 4,096 characters together")


def _violations(headers: Sequence[Header]) -> Iterator[FieldViolation]:
    seen: set[str] = set()
    for place, header in enumerate(headers):
        # Many servers take both for the same.
        name = header.name.lower().replace("_", "-")
        if name in FORBIDDEN or name.startswith(FORBIDDEN_PREFIXES):
            yield _wrong(place, "HEADER_NOT_ALLOWED", "is a header that cannot be set")
        if name in seen:
            yield _wrong(place, "HEADER_REPEATED", "is the name of another header, too")
        seen.add(name)


def _wrong(place: int, reason: str, description: str) -> FieldViolation:
    return FieldViolation(f"headers[{place}].name", reason, description)


def seal(secrets: Secrets, headers: Sequence[Header]) -> bytes | None:
    """The headers as they are stored; None if there are none."""
    if not headers:
        return None
    named = {header.name: header.value for header in headers}
    return secrets.seal(PURPOSE, json.dumps(named).encode())


def unseal(secrets: Secrets, sealed: bytes) -> Mapping[str, str]:
    """The headers again, for the worker that sends them."""
    headers: Mapping[str, str] = json.loads(secrets.unseal(PURPOSE, sealed))
    return headers
