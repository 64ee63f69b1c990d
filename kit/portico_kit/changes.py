"""What an update changes (AIP-134).

The mask of a request names its fields. What it names and the request does not
set is cleared. Over REST the gateway writes the mask, from the names that stood
in the body; without one, what is set is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from portico.type.v1 import options_pb2

from portico_kit.errors import FieldViolation

UPDATE_MASK = "update_mask"


def changed_fields(request: Any) -> frozenset[str]:
    """The names of the fields that an update sets or clears."""
    paths = request.update_mask.paths
    if paths:
        return frozenset(path.partition(".")[0] for path in paths)
    return frozenset(field.name for field, _ in request.ListFields())


def merge(request: Any, name: str, stored: Message) -> None:
    """Changes a stored message by the field of an update, member by member.

    Args:
        name: the field of the request; its type is that of `stored`.
    """
    change = getattr(request, name)
    if not request.update_mask.paths:
        stored.MergeFrom(change)
    for path in request.update_mask.paths:
        field, _, member = path.partition(".")
        if field == name and member:
            _copy(change, stored, member)
        elif field == name:
            stored.CopyFrom(change)


def _copy(source: Any, target: Any, path: str) -> None:
    """Copies one member, or clears it where the source has none."""
    name, _, inner = path.partition(".")
    if inner and (source.HasField(name) or target.HasField(name)):
        _copy(getattr(source, name), getattr(target, name), inner)
    elif not source.HasField(name):
        target.ClearField(name)
    elif isinstance(getattr(source, name), Message):
        getattr(target, name).CopyFrom(getattr(source, name))
    else:
        setattr(target, name, getattr(source, name))


def mask_violations(request: Message) -> list[FieldViolation]:
    """What is wrong with the mask of a request: unknown names, and what cannot be cleared."""
    if UPDATE_MASK not in request.DESCRIPTOR.fields_by_name:
        return []
    paths = request.update_mask.paths  # type: ignore[attr-defined]
    return [violation for path in paths for violation in _path_violations(request, path)]


def _path_violations(request: Message, path: str) -> Iterator[FieldViolation]:
    field: FieldDescriptor | None = None
    holder: Any = request
    for name in path.split("."):
        if field is not None:
            holder = getattr(holder, field.name)
        field = _maskable(holder, field).get(name)
        if field is None:
            yield FieldViolation(UPDATE_MASK, "UNKNOWN_FIELD", "names an unknown field")
            return
    if field is not None and _is_cleared(holder, field) and not _is_clearable(field):
        yield _not_clearable(path, field)


def _maskable(holder: Any, field: FieldDescriptor | None) -> dict[str, FieldDescriptor]:
    """The fields that a mask may name here; none inside what is replaced as a whole."""
    if field is None:
        return {f.name: f for f in holder.DESCRIPTOR.fields if f.name != UPDATE_MASK}
    if field.message_type is None or field.is_repeated:
        return {}
    return _members(field.message_type)


@cache
def _members(message: Descriptor) -> dict[str, FieldDescriptor]:
    merged = any(_is_clearable(field) for field in message.fields)
    return {field.name: field for field in message.fields} if merged else {}


def _is_cleared(holder: Any, field: FieldDescriptor) -> bool:
    """Whether the field is not set; one that always has a value is for its own rules."""
    if field.is_repeated:
        return not getattr(holder, field.name)
    return field.has_presence and not holder.HasField(field.name)


def _is_clearable(field: FieldDescriptor) -> bool:
    return bool(field.GetOptions().Extensions[options_pb2.clearable])


def _not_clearable(path: str, field: FieldDescriptor) -> FieldViolation:
    if field.is_repeated:
        return FieldViolation(path, "REPEATED_MIN_ITEMS", "must contain at least 1 item")
    return FieldViolation(path, "NOT_CLEARABLE", "can be changed but not cleared")
