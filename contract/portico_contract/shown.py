"""Messages as JSON: as the public sees them, and as logs may."""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from portico_contract.reading import is_sensitive

REDACTED = "[redacted]"


def as_json(message: Message) -> dict[str, Any]:
    """A message as the public JSON shows it."""
    return MessageToDict(message, always_print_fields_with_no_presence=True)


def redacted(message: Message) -> dict[str, Any]:
    """A message as JSON for logs and the audit log: without its sensitive values."""
    free = _sensitive_objects(type(message).DESCRIPTOR)
    shown = _redact(as_json(_without(message, free) if free else message), type(message).DESCRIPTOR)
    return shown | {name: REDACTED for field, name in free if message.HasField(field)}


def _redact(json: dict[str, Any], descriptor: Any) -> dict[str, Any]:
    hidden, nested = _sensitive(descriptor)
    shown = {name: REDACTED if name in hidden else value for name, value in json.items()}
    for name, inner in nested.items():
        value = shown.get(name)
        if isinstance(value, dict):
            shown[name] = _redact(value, inner)
        elif isinstance(value, list):
            shown[name] = [_redact(item, inner) for item in value]
    return shown


def _without(message: Message, fields: tuple[tuple[str, str], ...]) -> Message:
    """A copy without some fields."""
    copy = type(message)()
    copy.CopyFrom(message)
    for name, _ in fields:
        copy.ClearField(name)
    return copy


@cache
def _sensitive_objects(descriptor: Any) -> tuple[tuple[str, str], ...]:
    """The names, and JSON names, of a message's sensitive fields that hold free objects.

    These may hold what is no JSON, and nothing of them is shown: they are not looked at.
    """
    return tuple(
        (field.name, field.json_name)
        for field in descriptor.fields
        if is_sensitive(field)
        and field.message_type is not None
        and field.message_type.full_name == "google.protobuf.Struct"
    )


@cache
def _sensitive(descriptor: Any) -> tuple[frozenset[str], dict[str, Any]]:
    """The JSON names of a message's sensitive fields, and those that hold messages."""
    fields = descriptor.fields
    hidden = frozenset(field.json_name for field in fields if is_sensitive(field))
    nested = {
        field.json_name: field.message_type
        for field in fields
        if field.message_type is not None
        and not field.message_type.full_name.startswith("google.")
        and field.json_name not in hidden
    }
    return hidden, nested
