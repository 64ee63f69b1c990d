"""JSON objects inside of messages."""

from __future__ import annotations

from typing import Any

from google.protobuf.struct_pb2 import Struct, Value


def struct_members(struct: Struct) -> dict[str, Any]:
    """An object as Python has it. Over gRPC it may hold what JSON has no number for."""
    return {name: _plain(value) for name, value in struct.fields.items()}


def _plain(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return struct_members(value.struct_value)
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)
