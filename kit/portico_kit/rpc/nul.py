"""Texts with a NUL in them, which PostgreSQL cannot hold.

Looked for only once the database has refused one: no other call pays for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

from portico_kit.errors import FieldViolation

NUL = "\0"


def nul_violations(request: Message) -> tuple[FieldViolation, ...]:
    """A violation for each text of a request that holds a NUL."""
    return tuple(
        FieldViolation(field=path, reason="STRING_NUL", description="must not contain a NUL")
        for path, text in _texts(request)
        if NUL in text
    )


def _texts(message: Message, within: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a message with its path, "limits.zone" or "scopes[2]"."""
    for field, value in message.ListFields():
        path = f"{within}{field.name}"
        if isinstance(value, str | Message):
            yield from _inside(path, value)
        elif field.type in (field.TYPE_STRING, field.TYPE_MESSAGE):
            for place, item in enumerate(value):
                yield from _inside(f"{path}[{place}]", item)


def _inside(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Message):
        yield from _texts(value, f"{path}.")
    else:
        yield path, value
