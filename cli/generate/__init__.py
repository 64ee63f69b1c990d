"""`portico generate`: everything that is made from proto/, and the tables of docs/ about it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cli.generate.protoc import (
    GenerationError,
    validation_rules,
    write_descriptor_set,
    write_python,
)
from cli.generate.typescript import write_typescript

__all__ = ["ROOT", "GenerationError", "generate"]

ROOT = Path(__file__).resolve().parent.parent.parent


def generate(root: Path = ROOT) -> None:
    """Writes stubs, descriptor set, events, gateway, OpenAPI, TypeScript and tables below `root`.

    Raises:
        GenerationError: if a compiler refuses the contract, or a table has no place.
    """
    with tempfile.TemporaryDirectory() as scratch:
        rules = Path(scratch) / "rules.binpb"
        rules.write_bytes(validation_rules())
        write_descriptor_set(root, rules)
        write_python(root, rules)
    # Only now: the gateway is made with the stubs of our options.
    from cli.generate.events import write_events
    from cli.generate.gateway import write_gateway

    write_gateway(root, write_events(root))
    write_typescript(root)
    # Last: it reads the features, whose code may still be behind the contract.
    from cli.generate.documents import write_documents

    write_documents(root)
