"""Events held against the schemas of the catalogue, more strictly than receivers may."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs
import psycopg

from portico_contract import event_document

EVENTS = "select distinct on (type, data) type, id::text, organization_id::text, data from events"


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema by which nothing may be there that is not described."""
    closed = dict(schema)
    for keyword in ("properties", "$defs"):
        if keyword in schema:
            closed[keyword] = {name: strict(inner) for name, inner in schema[keyword].items()}
    if "properties" in schema:
        closed["additionalProperties"] = False
    if "items" in schema:
        closed["items"] = strict(schema["items"])
    return closed


def example_data(event_type: str) -> dict[str, Any]:
    """The data of the catalogue's example, for events that a test makes up."""
    data: dict[str, Any] = event_document(event_type).example["data"]
    return data


@cache
def _validator(event_type: str) -> jsonschema_rs.Draft202012Validator:
    schema = strict(event_document(event_type).schema)
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def faults(payload: dict[str, Any]) -> list[str]:
    """What the schema of its type has against what is posted for an event."""
    name = payload["type"]
    found = _validator(name).iter_errors(payload)
    return [f"{name}: {error.message} at {error.instance_path}" for error in found]


def faults_of_events(database_url: str) -> list[str]:
    """The same for all events of a database."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(EVENTS).fetchall()
    wrong = [
        fault
        for name, event_id, organization_id, data in rows
        for fault in faults(
            {
                "type": name,
                "timestamp": "2026-02-01T12:00:00Z",
                "id": event_id,
                "organizationId": organization_id,
                "data": data,
            }
        )
    ]
    return sorted(set(wrong))
