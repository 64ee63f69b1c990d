"""Timestamps of requests: over gRPC there are numbers for more than a calendar has."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from portico_kit.clock import moment
from portico_kit.errors import FieldViolation

TIMESTAMP = Timestamp.DESCRIPTOR.full_name


def moment_violations(message: Message, path: str = "") -> Iterator[FieldViolation]:
    """A violation for each timestamp that is no moment, however deep it stands.

    Args:
        path: where the message stands in the request, with a dot at the end.
    """
    for field in _timed_fields(message.DESCRIPTOR):
        for place, item in _items(message, field):
            if item.DESCRIPTOR.full_name != TIMESTAMP:
                yield from moment_violations(item, f"{path}{place}.")
            elif not _is_moment(item):
                yield FieldViolation(f"{path}{place}", "TIMESTAMP", "must be a moment")


def _items(message: Message, field: FieldDescriptor) -> Iterator[tuple[str, Any]]:
    """The messages in a field that are there, each with its name."""
    value = getattr(message, field.name)
    if field.is_repeated:
        yield from ((f"{field.name}[{place}]", item) for place, item in enumerate(value))
    elif message.HasField(field.name):
        yield field.name, value


@cache
def _timed_fields(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """The fields that are timestamps or lead to some."""
    return tuple(field for field in descriptor.fields if _leads_to_time(field, frozenset()))


def _leads_to_time(field: FieldDescriptor, within: frozenset[str]) -> bool:
    message = field.message_type
    if message is None or message.full_name in within:
        return False
    inside = within | {message.full_name}
    return message.full_name == TIMESTAMP or any(
        _leads_to_time(each, inside) for each in message.fields
    )


def _is_moment(message: Timestamp) -> bool:
    try:
        moment(message)
    except (ValueError, OverflowError):
        return False
    return True
