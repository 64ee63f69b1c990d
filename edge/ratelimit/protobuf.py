"""Parts of serialized messages, for an answer that is put together and not built.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

VARINT, LENGTH = 0, 2


def varint(number: int) -> bytes:
    """A number of no sign."""
    return _VARINTS[number] if number < len(_VARINTS) else _varint(number)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


# Those of one and two bytes.
_VARINTS = tuple(map(_varint, range(1 << 14)))


def tag(field: int, kind: int) -> bytes:
    """What stands before the value of a field."""
    return varint(field << 3 | kind)


def number(field: bytes, value: int) -> bytes:
    """A field with a number, after its tag; nothing if it is 0."""
    return field + varint(value) if value else b""


def text(field: bytes, value: bytes) -> bytes:
    """A field with a string, or with a message, after its tag."""
    return b"%b%b%b" % (field, varint(len(value)), value)
