"""How Envoy's configuration is written down: plain JSON values and typed extensions."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_TYPE_URL = "type.googleapis.com/"


def typed(message: str, **fields: Any) -> Json:
    """An extension's configuration.

    Args:
        message: the protobuf message below `envoy.`, such as
            "extensions.filters.http.router.v3.Router".
        fields: its fields.
    """
    return {"@type": f"{_TYPE_URL}envoy.{message}", **fields}


def extension(name: str, message: str, **fields: Any) -> Json:
    """A named extension with its configuration, as filters and formatters are listed."""
    return {"name": name, "typed_config": typed(message, **fields)}


def set_header(name: str, value: str) -> Json:
    """A header that replaces what is there."""
    return _header(name, value, "OVERWRITE_IF_EXISTS_OR_ADD")


def default_header(name: str, value: str) -> Json:
    """A header that is added where there is none."""
    return _header(name, value, "ADD_IF_ABSENT")


def _header(name: str, value: str, action: str) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": action}


def seconds(value: float) -> str:
    """A duration as protobuf's JSON writes it."""
    return f"{value:g}s"


def attribute(*path: str) -> Json:
    """An attribute of the request in a CEL expression: ("request", "path") is `request.path`."""
    expression: Json = {"ident_expr": {"name": path[0]}}
    for field in path[1:]:
        expression = {"select_expr": {"operand": expression, "field": field}}
    return expression


def call(function: str, *arguments: Json) -> Json:
    """A CEL function of its arguments; operators are functions such as "_>_"."""
    return {"call_expr": {"function": function, "args": list(arguments)}}


def number(value: int) -> Json:
    """A whole number in a CEL expression."""
    return {"const_expr": {"int64_value": value}}
