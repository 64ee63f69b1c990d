"""Creating keys: the secret is shown once, and nobody gives a key more than they have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from portico.keys.v1 import api_key_service_pb2 as pb
from portico.keys.v1.api_key_pb2 import ApiKeyLimits
from sqlalchemy import text

from portico_kit.tokens import parse_api_key
from tests.core.calls import headers
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyClient
from tests.core.records import audit_entry, event
from tests.core.world import World


async def test_the_answer_shows_the_key_and_its_secret(key_client: KeyClient, world: World) -> None:
    call = world.keys.CreateApiKey(
        pb.CreateApiKeyRequest(
            organization_id=key_client.organization_id,
            name="Reporting",
            scopes=["webhooks:read", "keys:read"],
            limits=ApiKeyLimits(per_minute=10, per_day=1000),
        ),
        metadata=key_client.owner.metadata,
    )
    answer = await call
    key = answer.api_key
    assert (key.name, key.status, key.created_by) == ("Reporting", "active", key_client.owner.id)
    assert list(key.scopes) == ["keys:read", "webhooks:read"]
    assert key.limits == ApiKeyLimits(per_minute=10, per_day=1000)
    assert not key.HasField("expires_at")
    assert (await headers(call))["location"] == f"/api/v1/api-keys/{key.id}"
    parsed = parse_api_key(answer.secret)
    assert parsed is not None
    assert (parsed.environment, parsed.prefix) == ("test", key.prefix)


async def test_the_secret_is_shown_here_and_nowhere_else(
    key_client: KeyClient, world: World
) -> None:
    answer = await key_client.create()
    told = await event(world, key_client.organization_id, "key.created")
    entry = await audit_entry(world, key_client.organization_id, "key.created")
    shown = (await key_client.get(answer.api_key.id)).api_key
    async with world.engine.connect() as connection:
        row = await connection.execute(
            text("select api_keys::text from api_keys where id = :id"), {"id": answer.api_key.id}
        )
    seen = f"{told.data} {entry.details} {shown} {row.scalar_one()}"
    assert answer.api_key.prefix in seen
    assert answer.secret not in seen


async def test_no_two_secrets_are_the_same(key_client: KeyClient) -> None:
    secrets = {(await key_client.create()).secret for _ in range(20)}
    assert len(secrets) == 20


async def test_a_person_gives_a_key_at_most_their_own_permissions(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    member = await world.new_member(key_client.organization_id, key_client.owner, "member")
    attempt = key_client.create("keys:read", "members:write", "organization:write", by=member)
    found = await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "SCOPE_NOT_GRANTABLE")
    assert found.metadata == {"scopes": "members:write organization:write"}
    await key_client.create("keys:read", "keys:write", by=member)


async def test_a_key_gives_a_key_at_most_its_own_scopes(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    parent = await key_client.create("keys:write", "keys:read")
    metadata = await world.key_metadata(parent.secret)
    request = pb.CreateApiKeyRequest(
        organization_id=key_client.organization_id,
        name="child",
        scopes=["keys:read", "webhooks:read"],
    )
    attempt = world.keys.CreateApiKey(request, metadata=metadata)
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "SCOPE_NOT_GRANTABLE")
    request.scopes[:] = ["keys:read"]
    answer = await world.keys.CreateApiKey(request, metadata=metadata)
    assert answer.api_key.created_by == ""


async def test_an_unknown_scope_is_refused(key_client: KeyClient, refused: Refused) -> None:
    attempt = key_client.create("keys:read", "moon:write")
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "SCOPE_UNKNOWN")
    assert found.metadata == {"scopes": "moon:write"}


@pytest.mark.parametrize(
    ("fields", "blamed"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["keys:read", "keys:read"]}, "scopes"),
        ({"scopes": ["keys:read", "Keys Read"]}, "scopes[1]"),
        ({"limits": ApiKeyLimits(per_minute=0)}, "limits.per_minute"),
        ({"limits": ApiKeyLimits(per_month=1_000_000_001)}, "limits.per_month"),
        ({"expires_at": datetime.now(UTC) - timedelta(seconds=1)}, "expires_at"),
    ],
)
async def test_what_is_malformed_is_named(
    key_client: KeyClient, world: World, fields: dict[str, Any], blamed: str, refused: Refused
) -> None:
    values: dict[str, Any] = {"name": "a key", "scopes": ["keys:read"], **fields}
    if isinstance(values.get("expires_at"), datetime):
        values["expires_at"] = at(values["expires_at"])
    request = pb.CreateApiKeyRequest(organization_id=key_client.organization_id, **values)
    attempt = world.keys.CreateApiKey(request, metadata=key_client.owner.metadata)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == (blamed,)


async def test_a_malformed_organization_is_named(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    request = pb.CreateApiKeyRequest(organization_id="1", name="a key", scopes=["keys:read"])
    attempt = world.keys.CreateApiKey(request, metadata=key_client.owner.metadata)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("organization_id",)


def at(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message
