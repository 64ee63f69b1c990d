"""An event type shows the schema of its events and an example; the list stays small."""

from __future__ import annotations

import grpc
import jsonschema_rs
import pytest
from google.protobuf.json_format import MessageToDict
from portico.webhooks.v1 import webhook_service_pb2 as pb

from portico_contract import event_document
from tests.core.conftest import Refused
from tests.core.world import World


async def test_anyone_may_see_the_schema_and_an_example_of_an_event_type(world: World) -> None:
    answer = await world.webhooks.GetEventType(pb.GetEventTypeRequest(name="key.revoked"))
    shown, document = answer.event_type, event_document("key.revoked")
    assert (shown.name, shown.version, shown.permission) == ("key.revoked", 1, "keys:read")
    assert shown.description.endswith(".")
    schema, example = MessageToDict(shown.schema), MessageToDict(shown.example)
    # What a struct makes of numbers is still the same schema.
    assert schema == document.schema
    assert example == document.example
    assert jsonschema_rs.is_valid(schema, example)
    assert not jsonschema_rs.is_valid(schema, {**example, "type": "key.created"})


async def test_another_name_of_a_type_has_the_schema_of_its_type(world: World) -> None:
    answer = await world.webhooks.GetEventType(pb.GetEventTypeRequest(name="user.login"))
    schema = MessageToDict(answer.event_type.schema)
    example = MessageToDict(answer.event_type.example)
    assert example["type"] == "user.login"
    assert schema["title"] == "user.login"
    assert schema["$id"] == "urn:portico:event:user.login:1"
    assert example["data"] == event_document("session.created").example["data"]
    assert jsonschema_rs.is_valid(schema, example)
    assert not jsonschema_rs.is_valid(schema, {**example, "type": "session.created"})


async def test_the_list_has_versions_and_no_schemas(world: World) -> None:
    answer = await world.webhooks.ListEventTypes(pb.ListEventTypesRequest())
    assert all(one.version >= 1 for one in answer.event_types)
    assert not any(one.HasField("schema") or one.HasField("example") for one in answer.event_types)
    assert answer.ByteSize() < 16_000


@pytest.mark.parametrize("name", ["key.melted", "moon.created"])
async def test_an_unknown_event_type_is_not_found(
    world: World, refused: Refused, name: str
) -> None:
    attempt = world.webhooks.GetEventType(pb.GetEventTypeRequest(name=name))
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "EVENT_TYPE_NOT_FOUND")


@pytest.mark.parametrize(
    "name", ["", "*", "../descriptor", "key.revoked/..", "key.", "Key.Revoked"]
)
async def test_what_is_no_name_is_refused(world: World, refused: Refused, name: str) -> None:
    attempt = world.webhooks.GetEventType(pb.GetEventTypeRequest(name=name))
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
