"""An example of each event type, made from the fields of the message that it shows."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from portico.type.v1 import options_pb2

from edge.gateway.openapi.rules import rules_of
from edge.gateway.openapi.schemas import STRUCT, TIMESTAMP
from edge.gateway.typed import Json
from portico_contract import Contract

EARLIER = "2026-01-15T09:00:00Z"
WHEN = "2026-02-01T12:00:00Z"
LATER = "2026-03-01T12:00:00Z"

_BEGINS = ("created_at", "joined_at", "requested_at")
_ENDS = ("expires_at", "due_at")
# With which verbs the thing itself begins to be: it was created at the time of the event.
_BIRTHS = frozenset({"created", "added", "requested", "registered", "imported", "linked"})
_INTEGERS = frozenset(
    {
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_SINT32,
        FieldDescriptor.TYPE_UINT32,
    }
)
_NUMBERS = frozenset({FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE})
_LONG = frozenset({FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64})


def event_example(contract: Contract, name: str) -> Json:
    """What is posted for an event of a type, as the contract's own examples have it.

    Raises:
        ValueError: if what the contract says of the example is no JSON object.
    """
    _, _, happened = name.partition(".")
    data = _message(contract.event_data[name], happened.rpartition("_")[2])
    return {
        "type": name,
        "timestamp": WHEN,
        "id": example_id("event"),
        "organizationId": example_id("organization"),
        "data": data | json.loads(contract.event_examples.get(name, "{}")),
    }


def example_id(kind: str) -> str:
    """The ID of the example of a kind of thing, a UUIDv7; always the same."""
    digits = sha256(kind.encode()).hexdigest()
    return f"01890a5d-ac96-7{digits[:3]}-8{digits[3:6]}-{digits[6:18]}"


def _message(message: Descriptor, verb: str) -> Json:
    """A message as JSON, without the members that are not set.

    Args:
        verb: what happened: the time of a "revoked" key is in "revoked_at".
    """
    shown = {field.json_name: _value(field, verb) for field in message.fields}
    return {name: value for name, value in shown.items() if value is not None}


def _value(field: FieldDescriptor, verb: str) -> Any:
    """What a field is in the example; None if it is not set."""
    given = list(field.GetOptions().Extensions[options_pb2.example])
    if field.is_repeated:
        return [_scalar(field, one) for one in given]
    if field.message_type is not None:
        return _inner(field, field.message_type, verb)
    if given:
        return _scalar(field, verb if verb in given else given[0])
    if field.has_presence:
        return None
    known = [*getattr(rules_of(field).string, "in"), ""]
    return example_id(_kind(field)) if _is_id(field) else _scalar(field, known[0])


def _inner(field: FieldDescriptor, message: Descriptor, verb: str) -> Any:
    if message.full_name == TIMESTAMP:
        always = EARLIER if rules_of(field).required else None
        return _timestamp(field.name, verb) or always
    if message.full_name == STRUCT:
        return None
    return _message(message, verb) or None


def _timestamp(name: str, verb: str) -> str | None:
    if name == "updated_at" or name == f"{verb}_at":
        return WHEN
    if name in _BEGINS:
        return WHEN if verb in _BIRTHS else EARLIER
    return LATER if name in _ENDS else None


def _is_id(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_STRING and (
        field.name == "id" or field.name.endswith(("_id", "_by"))
    )


def _kind(field: FieldDescriptor) -> str:
    """Whose ID a field holds: the same thing has the same one in all examples."""
    if field.name == "id":
        return str(field.full_name).split(".")[-2].lower()
    return "user" if field.name.endswith("_by") else str(field.name).removesuffix("_id")


def _scalar(field: FieldDescriptor, text: str) -> Any:
    """A value of a field's type from its text; its zero value if there is none."""
    if field.type == FieldDescriptor.TYPE_BOOL:
        return text == "true"
    if field.type in _LONG:
        return text or "0"
    if field.type in _INTEGERS:
        return int(text or 0)
    if field.type in _NUMBERS:
        return float(text or 0)
    if field.enum_type is not None:
        return text or field.enum_type.values[0].name
    return text
