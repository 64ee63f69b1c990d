"""Validation rules of the contract as JSON Schema keywords (draft 2020-12)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor
from portico.type.v1 import rules_pb2

from edge.gateway.typed import Json

Rules = validate_pb2.FieldRules

# "ip-prefix" is no format of JSON Schema's own; it stands for RFC 4632 and RFC 4291 prefixes.
_STRING_FORMATS = {
    "uuid": "uuid",
    "uri": "uri",
    "hostname": "hostname",
    "ip_prefix": "ip-prefix",
}
# Rules of our own. "name" is no format of JSON Schema's own either.
_OWN_FORMATS = ((rules_pb2.name, "name"), (rules_pb2.email_address, "email"))
_STRING_BOUNDS = {"min_len": "minLength", "max_len": "maxLength", "pattern": "pattern"}
_NUMBER_BOUNDS = {
    "gt": "exclusiveMinimum",
    "gte": "minimum",
    "lt": "exclusiveMaximum",
    "lte": "maximum",
}
# RFC 4648, with or without padding: three bytes, then what stands for none, one or two more.
_BASE64_TRIPLE = "(?:[A-Za-z0-9+/]{4})"
_BASE64_REST = (
    "",
    "[A-Za-z0-9+/][AQgw](?:==)?",
    "[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=?",
)
_LIST_BOUNDS = {"min_items": "minItems", "max_items": "maxItems"}
_INTEGERS = ("int32", "uint32", "sint32", "fixed32", "sfixed32")
_FLOATS = ("float", "double")


def rules_of(field: FieldDescriptor) -> Rules:
    """The rules beside a field."""
    rules: Rules = field.GetOptions().Extensions[validate_pb2.field]
    return rules


def keywords(rules: Rules) -> Json:
    """What JSON Schema can say of a value's rules; empty if it can say nothing."""
    kind = rules.WhichOneof("type")
    if kind == "string":
        return _string(rules.string)
    if kind == "bytes":
        return _bytes(rules.bytes)
    if kind in _INTEGERS or kind in _FLOATS:
        return _bounds(getattr(rules, kind), _NUMBER_BOUNDS)
    if kind == "repeated":
        unique = {"uniqueItems": True} if rules.repeated.unique else {}
        return {**_bounds(rules.repeated, _LIST_BOUNDS), **unique}
    return {}


def item_keywords(rules: Rules) -> Json:
    """The same for the items of a list."""
    return keywords(rules.repeated.items) if rules.WhichOneof("type") == "repeated" else {}


def _string(rules: validate_pb2.StringRules) -> Json:
    schema = _bounds(rules, _STRING_BOUNDS)
    own = next((format_ for rule, format_ in _OWN_FORMATS if rules.Extensions[rule]), None)
    format_ = own or _STRING_FORMATS.get(rules.WhichOneof("well_known") or "")
    if format_ is not None:
        schema["format"] = format_
    # Not `const`: what some generators make of it does not compile.
    values = [rules.const] if rules.HasField("const") else list(getattr(rules, "in"))
    return one_of(schema, values) if values else schema


def one_of(schema: Json, values: Sequence[str]) -> Json:
    """The schema of a text whose values are known: the bounds of its form say nothing more."""
    form = {*_STRING_BOUNDS.values(), "format"}
    rest = {name: value for name, value in schema.items() if name not in form}
    return {**rest, "enum": list(values)}


def _bytes(rules: validate_pb2.BytesRules) -> Json:
    """Bounds of bytes as bounds of the base64 that stands for them in JSON."""
    if rules.HasField("len"):
        triples, rest = divmod(rules.len, 3)
        return {"pattern": f"^{_BASE64_TRIPLE}{{{triples}}}{_BASE64_REST[rest]}$"}
    schema: Json = {"pattern": f"^{_BASE64_TRIPLE}*(?:{'|'.join(_BASE64_REST[1:])})?$"}
    if rules.HasField("min_len"):
        schema["minLength"] = math.ceil(rules.min_len * 4 / 3)
    if rules.HasField("max_len"):
        schema["maxLength"] = math.ceil(rules.max_len / 3) * 4
    return schema


def _bounds(
    rules: validate_pb2.StringRules | validate_pb2.RepeatedRules, names: dict[str, str]
) -> Json:
    present = {field.name for field, _ in rules.ListFields()}
    return {keyword: getattr(rules, name) for name, keyword in names.items() if name in present}


def is_required(field: FieldDescriptor) -> bool:
    """Whether a request without this field breaks its rules.

    A field that knows whether it is set is only checked when it is, unless it
    is marked as required. The others count as their zero value.
    """
    rules = rules_of(field)
    if rules.required:
        return True
    if field.has_presence or rules.ignore != validate_pb2.IGNORE_UNSPECIFIED:
        return False
    schema = keywords(rules)
    if rules.WhichOneof("type") == "string":
        return not _allows_empty_text(schema)
    return (
        schema.get("minItems", 0) > 0
        or schema.get("minimum", 0) > 0
        or schema.get("exclusiveMinimum", -1) >= 0
        or (rules.WhichOneof("type") == "bool" and rules.bool.const)
    )


def _allows_empty_text(schema: Json) -> bool:
    return (
        schema.get("minLength", 0) == 0
        and "format" not in schema
        and "" in schema.get("enum", [""])
        and re.search(schema.get("pattern", ""), "") is not None
    )
