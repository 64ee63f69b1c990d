"""What a change of an event type's schema means for those who receive the events.

    python -m cli.event_schemas BEFORE AFTER

compares two folders of `portico generate` and fails if a change breaks receivers, or if a
schema has changed and its version was not raised.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

# What says something to people and nothing about values.
_ANNOTATIONS = frozenset({"$schema", "$id", "title", "description"})
# Keywords whose members are schemas, by names that are nobody's keywords.
_NAMED = frozenset({"properties", "$defs"})
# A receiver reads a value by these.
_KINDS = ("type", "const", "format")


def constraints(schema: Schema) -> Schema:
    """A schema without its texts: if this changes, the version is raised."""
    return {
        keyword: _constraints(keyword, value)
        for keyword, value in schema.items()
        if keyword not in _ANNOTATIONS
    }


def _constraints(keyword: str, value: Any) -> Any:
    if keyword in _NAMED:
        return {name: constraints(inner) for name, inner in value.items()}
    return constraints(value) if keyword == "items" else value


def read(folder: Path) -> dict[str, Schema]:
    """The event types of a folder, by their names."""
    files = sorted(folder.glob("*.json"))
    return {path.stem: json.loads(path.read_text()) for path in files}


def problems(before: Mapping[str, Schema], after: Mapping[str, Schema]) -> Iterator[str]:
    """What is wrong with the change from some event types to others, as sentences."""
    for name, old in before.items():
        if name not in after:
            yield f"{name}: the event type was removed"
            continue
        new = after[name]
        yield from (f"{name}: {what}" for what in breaks(old["schema"], new["schema"]))
        if new["version"] < old["version"]:
            yield f"{name}: the version fell from {old['version']} to {new['version']}"
        elif new["version"] == old["version"] and constraints(old["schema"]) != constraints(
            new["schema"]
        ):
            yield f"{name}: the schema changed and the version did not: run `make generate`"


def breaks(before: Schema, after: Schema) -> Iterator[str]:
    """How a schema breaks receivers that know another."""
    return _breaks(_Place(before, before), _Place(after, after), "", frozenset())


class _Place:
    """A schema in its document, with references followed."""

    def __init__(self, document: Schema, schema: Schema) -> None:
        self.document = document
        self.reference = schema.get("$ref", "")
        if self.reference:
            schema = {**document["$defs"][self.reference.removeprefix("#/$defs/")], **schema}
        self.schema = schema
        self.properties: Schema = schema.get("properties", {})
        self.required = frozenset(schema.get("required", ()))

    def at(self, schema: Schema) -> _Place:
        return _Place(self.document, schema)


def _breaks(old: _Place, new: _Place, path: str, within: frozenset[str]) -> Iterator[str]:
    if old.reference in within:
        return  # a message that has itself as a part
    within |= {old.reference} - {""}
    for keyword in _KINDS:
        if old.schema.get(keyword) != new.schema.get(keyword):
            yield f"{path or 'the whole'} has another {keyword}"
    for name, property_ in old.properties.items():
        inner = f"{path}.{name}".removeprefix(".")
        if name not in new.properties:
            yield f"{inner} was removed"
            continue
        if name in old.required - new.required:
            yield f"{inner} is no longer always present"
        yield from _breaks(old.at(property_), new.at(new.properties[name]), inner, within)
    if "items" in old.schema and "items" in new.schema:
        items = old.at(old.schema["items"]), new.at(new.schema["items"])
        yield from _breaks(*items, f"{path}[]", within)


def main(arguments: list[str]) -> int:
    """Prints what is wrong.

    Returns:
        0 if nothing is, else 1.
    """
    before, after = map(Path, arguments)
    found = list(problems(read(before), read(after)))
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
