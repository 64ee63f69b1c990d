"""The catalogue's entries, also under the other names of event types."""

from __future__ import annotations

from dataclasses import replace

from portico_contract import EventDocument, event_document
from server.common.event_names import ALIASES


def document_of(event_type: str) -> EventDocument:
    """The entry of an event type; of another name, that of its type with the name in it."""
    name = ALIASES.get(event_type, event_type)
    document = event_document(name)
    if name == event_type:
        return document
    properties = document.schema["properties"]
    named = {**properties, "type": {**properties["type"], "const": event_type}}
    return replace(
        document,
        schema={
            **document.schema,
            "$id": document.schema["$id"].replace(name, event_type),
            "title": event_type,
            "properties": named,
        },
        example={**document.example, "type": event_type},
    )
