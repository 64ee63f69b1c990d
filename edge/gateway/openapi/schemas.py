"""Messages as JSON Schema: the JSON that the transcoder reads and prints."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from enum import Enum

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from portico.type.v1 import options_pb2

from edge.gateway.bodies import body_fields, is_clearable, is_mask
from edge.gateway.openapi.rules import is_required, item_keywords, keywords, one_of, rules_of
from edge.gateway.typed import Json
from portico_contract import Contract, ContractError

TIMESTAMP = "google.protobuf.Timestamp"
# An object whose members another standard names, and may add to.
STRUCT = "google.protobuf.Struct"

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

    def __init__(self, contract: Contract, place: str = "#/components/schemas/") -> None:
        """Takes the contract for the texts beside its elements and the names it makes.

        Args:
            place: where the document has the named schemas, as references begin.
        """
        self._contract = contract
        self._place = place
        self._comments = contract.comments
        self._named: dict[str, Json] = {}
        self._owners: dict[str, str] = {}

    @property
    def components(self) -> dict[str, Json]:
        """Every schema that was asked for, by name."""
        return dict(sorted(self._named.items()))

    def body(self, message: Descriptor, without: Collection[str]) -> Json:
        """A reference to the schema of a request.

        Args:
            without: fields that are not in the JSON, for they are in the path.
        """
        schema = self.definition(message, Direction.REQUEST, without)
        if any(is_mask(field) for field in message.fields):
            schema = _change(message, schema)
        return self._reference(message.name, message, schema)

    def message(self, message: Descriptor, direction: Direction) -> Json:
        """A reference to a message's schema; what must be there depends on the direction."""
        if direction is Direction.RESPONSE:
            # Generators give the name of an operation and "Response" to types of their own.
            name = re.sub("Response$", "Result", message.name)
            return self._reference(name, message, self.definition(message, direction))
        return self._input(message)

    def _input(self, message: Descriptor) -> Json:
        """A message in a request: one of its forms, if it has a choice."""
        choice = required_choice(message)
        name = f"{message.name}Input"
        if not choice:
            return self._reference(name, message, self.definition(message, Direction.REQUEST))
        forms = [self._form(message, field, choice) for field in choice]
        comment = self._comments.get(message.full_name)
        schema: Json = {"oneOf": forms, **({"description": comment} if comment else {})}
        return self._reference(name, message, schema)

    def _form(
        self, message: Descriptor, chosen: FieldDescriptor, choice: Sequence[FieldDescriptor]
    ) -> Json:
        """The message with one field of its oneof, and without the others."""
        others = [field.name for field in choice if field is not chosen]
        schema = self.definition(message, Direction.REQUEST, others)
        name = chosen.json_name
        schema["properties"][name] = self.value(chosen, Direction.REQUEST)
        schema["required"] = [*schema.get("required", ()), name]
        title = f"{message.name}{name[0].upper()}{name[1:]}Input"
        return self._reference(title, message, schema)

    def _reference(self, name: str, message: Descriptor, schema: Json) -> Json:
        """Adds a schema under its name.

        Raises:
            ContractError: if another message has that name.
        """
        if self._owners.setdefault(name, message.full_name) != message.full_name:
            raise ContractError(f"{message.full_name} and {self._owners[name]} share a name")
        self._named[name] = schema
        return {"$ref": f"{self._place}{name}"}

    def value(self, field: FieldDescriptor, direction: Direction) -> Json:
        """The schema of one field, with its comment."""
        rules = rules_of(field)
        if field.is_repeated:
            items = self._named_values(field, direction, item_keywords(rules))
            schema: Json = {"type": "array", "items": items, **keywords(rules)}
        else:
            schema = self._named_values(field, direction, keywords(rules))
        comment = self._comments.get(field.full_name)
        return {**schema, "description": comment} if comment else schema

    def _named_values(self, field: FieldDescriptor, direction: Direction, rules: Json) -> Json:
        schema = {**self._single(field, direction), **rules}
        names = self._contract.names(field.GetOptions().Extensions[options_pb2.vocabulary])
        return one_of(schema, names) if names else schema

    def _single(self, field: FieldDescriptor, direction: Direction) -> Json:
        if field.message_type is not None:
            if field.message_type.full_name == TIMESTAMP:
                return {"type": "string", "format": "date-time"}
            if field.message_type.full_name == STRUCT:
                return {"type": "object"}
            return self.message(field.message_type, direction)
        if field.enum_type is not None:
            return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
        if field.type not in _SCALARS:
            raise ContractError(f"{field.full_name} has a type that the document cannot describe")
        return dict(_SCALARS[field.type])

    def definition(
        self, message: Descriptor, direction: Direction, without: Collection[str] = ()
    ) -> Json:
        """The schema of a message itself; see `message`."""
        fields = body_fields(message, without)
        required = [field.json_name for field in fields if _is_always_there(field, direction)]
        properties = {field.json_name: self.value(field, direction) for field in fields}
        schema: Json = {"type": "object", "properties": properties}
        if direction is Direction.REQUEST:
            optional = properties.keys() - set(required)
            properties |= {name: _or_null(properties[name]) for name in sorted(optional)}
            schema["additionalProperties"] = False
        if required:
            schema["required"] = required
        comment = self._comments.get(message.full_name)
        return {**schema, "description": comment} if comment else schema


def _change(message: Descriptor, schema: Json) -> Json:
    """The schema of a PATCH: null clears what can be cleared, and so does an empty list."""
    properties = dict(schema["properties"])
    for field in message.fields:
        name = field.json_name
        if name not in properties or is_clearable(field) or name in schema.get("required", ()):
            continue
        properties[name] = _not_null(properties[name])
        if field.is_repeated:
            properties[name] = {"minItems": 1, **properties[name]}
    return {**schema, "properties": properties}


def _is_always_there(field: FieldDescriptor, direction: Direction) -> bool:
    """Whether a field must be sent, or is always printed."""
    if direction is Direction.REQUEST:
        return is_required(field)
    return not field.has_presence or rules_of(field).required


def required_choice(message: Descriptor) -> Sequence[FieldDescriptor]:
    """The fields of a oneof of which exactly one has to be given; empty if there is none."""
    for oneof in message.oneofs:
        options: validate_pb2.OneofRules = oneof.GetOptions().Extensions[validate_pb2.oneof]
        if options.required:
            return list(oneof.fields)
    return ()


def _not_null(schema: Json) -> Json:
    """Takes back what `_or_null` says of a field that is no message."""
    kind, _ = schema["type"]
    values = {"enum": [v for v in schema["enum"] if v is not None]} if "enum" in schema else {}
    return {**schema, "type": kind, **values}


def _or_null(schema: Json) -> Json:
    """The schema of a field that may be left out: null says the same."""
    if "$ref" in schema:
        about = {name: text for name, text in schema.items() if name != "$ref"}
        return {"anyOf": [{"$ref": schema["$ref"]}, {"type": "null"}], **about}
    nullable = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable
