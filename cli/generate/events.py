"""The event catalogue: a file for each event type, with its JSON Schema and an example."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from cli.event_schemas import constraints
from cli.generate.protoc import GenerationError, descriptor_set
from edge.gateway.openapi.events import event_schema
from edge.gateway.openapi.examples import event_example
from portico_contract import ContractError, read

FOLDER = Path("generated", "events")


def write_events(root: Path) -> dict[str, int]:
    """Writes a file for each event type, and returns the versions of their schemas.

    A version is raised if the schema is another one than the file has, texts aside.

    Raises:
        GenerationError: if the contract leaves out what an event shows.
    """
    files = FileDescriptorSet.FromString(descriptor_set(root).read_bytes())
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    try:
        contract = read(files)
        made = {
            name: (event_schema(contract, name), event_example(contract, name))
            for name in contract.event_types
        }
    except (ContractError, ValueError) as error:
        raise GenerationError(str(error)) from error
    for path in folder.glob("*.json"):
        if path.stem not in made:
            path.unlink()
    return {name: _write(folder / f"{name}.json", *parts) for name, parts in made.items()}


def _write(path: Path, schema: dict[str, Any], example: dict[str, Any]) -> int:
    name, version = path.stem, _version(path, schema)
    identified = {
        "$schema": schema.pop("$schema"),
        "$id": f"urn:portico:event:{name}:{version}",
        **schema,
    }
    document = {"name": name, "version": version, "schema": identified, "example": example}
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    return version


def _version(path: Path, schema: dict[str, Any]) -> int:
    if not path.exists():
        return 1
    before = json.loads(path.read_text())
    version: int = before["version"]
    return version + (constraints(before["schema"]) != constraints(schema))
