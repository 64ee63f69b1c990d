"""Events as JSON Schema: what is posted to webhooks, made from the messages that events show."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.descriptor import Descriptor

from edge.gateway.openapi.schemas import Direction, Schemas
from edge.gateway.typed import Json
from portico_contract import Contract

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PAYLOAD = "portico.webhooks.v1.WebhookPayload"

_TEXT: Json = {"type": "string"}
# The headers of Standard Webhooks.
PARAMETERS: dict[str, Json] = {
    "webhook-id": {
        "description": "The ID of the delivery: the same for each attempt.",
        "schema": _TEXT,
    },
    "webhook-timestamp": {
        "description": "When the attempt was made, as a Unix time in seconds.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "webhook-signature": {
        "description": "The signatures (Standard Webhooks), separated by spaces.",
        "schema": _TEXT,
    },
}
_RESPONSES: Json = {
    "2XX": {"description": "The event was received."},
    "410": {"description": "The receiver is gone: the webhook is disabled."},
    "default": {"description": "The event was not received: it is sent again later."},
}


def payload_message(contract: Contract) -> Descriptor:
    """The message that is posted for each event."""
    first = next(iter(contract.event_types.values()))
    return first.containing_service.file.pool.FindMessageTypeByName(PAYLOAD)


def event_schema(contract: Contract, name: str) -> Json:
    """The schema of all that is posted for an event type, in one document.

    Without its identifier, which has the version.
    """
    schemas = Schemas(contract, place="#/$defs/")
    payload = schemas.definition(payload_message(contract), Direction.RESPONSE)
    payload["properties"] = {**payload["properties"], **_own(contract, name, schemas)}
    return {"$schema": DIALECT, "title": name, **payload, "$defs": schemas.components}


def webhooks(contract: Contract, schemas: Schemas, versions: Mapping[str, int]) -> Json:
    """The `webhooks` of an OpenAPI document.

    Args:
        schemas: those of the document.
        versions: of the schemas of the event types.
    """
    return {name: _webhook(contract, name, schemas, versions) for name in contract.event_types}


def _webhook(contract: Contract, name: str, schemas: Schemas, versions: Mapping[str, int]) -> Json:
    payload = schemas.message(payload_message(contract), Direction.RESPONSE)
    own = {"type": "object", "properties": _own(contract, name, schemas)}
    post: Json = {
        "summary": f"An event of the type {name}",
        "tags": [contract.event_types[name].containing_service.full_name.split(".")[1]],
        "security": [],
        "parameters": [
            {"$ref": f"#/components/parameters/{header}"} for header in sorted(PARAMETERS)
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"allOf": [payload, own]}}},
        },
        "responses": _RESPONSES,
    }
    if name in versions:
        post["x-version"] = versions[name]
    return {"post": post}


def _own(contract: Contract, name: str, schemas: Schemas) -> dict[str, Json]:
    """What the payload of one event type has, where others have something else."""
    data = schemas.message(contract.event_data[name], Direction.RESPONSE)
    return {"type": {"const": name}, "data": data}
