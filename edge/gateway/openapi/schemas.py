"""Messages as JSON Schema: the JSON that the transcoder reads and prints."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import Enum

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from edge.gateway.contract import ContractError
from edge.gateway.openapi.rules import is_required, item_keywords, keywords, rules_of
from edge.gateway.typed import Json

TIMESTAMP = "google.protobuf.Timestamp"

_UINT32_MAX = 2**32 - 1
_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
_INT32: Json = {"type": "integer", "minimum": _INT32_MIN, "maximum": _INT32_MAX}
_UINT32: Json = {"type": "integer", "minimum": 0, "maximum": _UINT32_MAX}
_SCALARS: dict[int, Json] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    # JSON numbers are doubles: 64 bits do not fit, so they travel as text.
    FieldDescriptor.TYPE_INT64: {"type": "string", "pattern": "^-?[0-9]+$"},
    FieldDescriptor.TYPE_UINT64: {"type": "string", "pattern": "^[0-9]+$"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number"},
}


class Direction(Enum):
    """Which way a message travels: what must be there differs."""

    REQUEST = "request"
    RESPONSE = "response"


class Schemas:
    """The named schemas of a document, collected while its operations are described."""

    def __init__(self, comments: dict[str, str]) -> None:
        """Takes the texts beside the contract's elements, by full name."""
        self._comments = comments
        self._named: dict[str, Json] = {}
        self._owners: dict[str, str] = {}

    @property
    def components(self) -> dict[str, Json]:
        """Every schema that was asked for, by name."""
        return dict(sorted(self._named.items()))

    def reference(
        self, message: Descriptor, direction: Direction, without: Collection[str] = ()
    ) -> Json:
        """A reference to a message's schema, which is added if it is new.

        Args:
            without: fields that are not in the JSON, for they are in the path.

        Raises:
            ContractError: if two messages claim one name.
        """
        name = message.name
        schema = self._object(message, direction, without)
        if self._owners.setdefault(name, message.full_name) != message.full_name:
            raise ContractError(f"{message.full_name} and {self._owners[name]} share a name")
        if self._named.setdefault(name, schema) != schema:
            # Asked for in both directions, and they differ.
            name = f"{name}Input" if direction is Direction.REQUEST else f"{name}Output"
            self._named[name] = schema
        return {"$ref": f"#/components/schemas/{name}"}

    def value(self, field: FieldDescriptor, direction: Direction) -> Json:
        """The schema of one field, with its comment."""
        rules = rules_of(field)
        if field.is_repeated:
            items = {**self._single(field, direction), **item_keywords(rules)}
            schema: Json = {"type": "array", "items": items, **keywords(rules)}
        else:
            schema = {**self._single(field, direction), **keywords(rules)}
        comment = self._comments.get(field.full_name)
        return {**schema, "description": comment} if comment else schema

    def _single(self, field: FieldDescriptor, direction: Direction) -> Json:
        if field.message_type is not None:
            if field.message_type.full_name == TIMESTAMP:
                return {"type": "string", "format": "date-time"}
            return self.reference(field.message_type, direction)
        if field.enum_type is not None:
            return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
        if field.type not in _SCALARS:
            raise ContractError(f"{field.full_name} has a type that the document cannot describe")
        return dict(_SCALARS[field.type])

    def _object(self, message: Descriptor, direction: Direction, without: Collection[str]) -> Json:
        fields = [field for field in message.fields if field.name not in without]
        schema: Json = {
            "type": "object",
            "properties": {field.json_name: self.value(field, direction) for field in fields},
        }
        if required := list(_always_there(fields, direction)):
            schema["required"] = required
        comment = self._comments.get(message.full_name)
        return {**schema, "description": comment} if comment else schema


def _always_there(fields: Iterable[FieldDescriptor], direction: Direction) -> Iterable[str]:
    """The JSON names of the fields that must be sent, or that are always printed."""
    for field in fields:
        needed = is_required(field) if direction is Direction.REQUEST else not field.has_presence
        if needed:
            yield field.json_name
