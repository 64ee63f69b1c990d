"""Showing a key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import grpc
from portico.keys.v1 import api_key_service_pb2 as pb

from tests.core.calls import answered
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyClient
from tests.core.world import World


async def test_a_key_is_shown_as_it_was_created(key_client: KeyClient) -> None:
    created = await key_client.create("keys:read", "members:read")
    assert (await key_client.get(created.api_key.id)).api_key == created.api_key


async def test_a_key_says_when_its_time_is_over(key_client: KeyClient, world: World) -> None:
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    key = (await key_client.create(expires_at=expires_at)).api_key
    assert (await key_client.get(key.id)).api_key.status == "active"
    with world.clock.later(timedelta(hours=1)):
        assert (await key_client.get(key.id)).api_key.status == "expired"


async def test_what_the_client_has_already_is_said_to_be_unchanged(
    key_client: KeyClient, world: World
) -> None:
    request = pb.GetApiKeyRequest(api_key_id=(await key_client.create()).api_key.id)
    tag = (await answered(world.keys.GetApiKey(request, metadata=key_client.owner.metadata)))[
        "etag"
    ]
    known = {tag: "304", f"W/{tag}": "304", "*": "304", f'"9", {tag}': "304", '"1"': None}
    for sent, code in known.items():
        metadata = (*key_client.owner.metadata, ("if-none-match", sent))
        found = await answered(world.keys.GetApiKey(request, metadata=metadata))
        assert (found["etag"], found.get("x-http-code")) == (tag, code)


async def test_a_key_that_nobody_has_is_not_found(key_client: KeyClient, refused: Refused) -> None:
    attempt = key_client.get("01890a5d-ac96-774b-bcce-b302099a8057")
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "API_KEY_NOT_FOUND")


async def test_a_malformed_id_is_named(key_client: KeyClient, refused: Refused) -> None:
    found = await refused(key_client.get("1"), grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("api_key_id",)
