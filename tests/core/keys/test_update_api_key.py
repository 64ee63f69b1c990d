"""Changing a key: only what is given, never over somebody else's change, and at once."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from portico.keys.v1 import api_key_service_pb2 as pb
from portico.keys.v1.api_key_pb2 import ApiKeyLimits
from portico.organizations.v1 import organization_service_pb2 as organizations

from portico_kit.clock import timestamp, utc_now
from tests.core.calls import headers, if_match, race, version
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyClient, announced
from tests.core.records import event, event_types
from tests.core.world import World


async def test_only_the_given_fields_change(key_client: KeyClient) -> None:
    limits = ApiKeyLimits(per_minute=1, per_hour=2)
    key = (await key_client.create("keys:read", limits=limits)).api_key
    await key_client.update(key.id, name="Renamed")
    changed = (await key_client.update(key.id, scopes=["members:read", "keys:read"])).api_key
    assert (changed.name, list(changed.scopes)) == ("Renamed", ["keys:read", "members:read"])
    assert changed.limits == limits


async def test_new_limits_replace_all_of_the_old_ones(key_client: KeyClient) -> None:
    key = (await key_client.create(limits=ApiKeyLimits(per_minute=1, per_hour=2))).api_key
    changed = (await key_client.update(key.id, limits=ApiKeyLimits(per_month=3))).api_key
    assert changed.limits == ApiKeyLimits(per_month=3)


async def test_scopes_that_are_taken_count_at_the_next_call(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = await key_client.create("organization:read", "members:read")
    metadata = await world.key_metadata(key.secret)
    await key_client.update(key.api_key.id, scopes=["members:read"])
    attempt = world.organizations.GetOrganization(
        organizations.GetOrganizationRequest(organization_id=key_client.organization_id),
        metadata=metadata,
    )
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_a_person_gives_a_key_at_most_their_own_permissions(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = (await key_client.create()).api_key
    member = await world.new_member(key_client.organization_id, key_client.owner, "member")
    attempt = world.keys.UpdateApiKey(
        pb.UpdateApiKeyRequest(api_key_id=key.id, scopes=["members:write"]),
        metadata=member.metadata,
    )
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "SCOPE_NOT_GRANTABLE")


async def test_the_change_is_told_and_the_edge_forgets_the_key(
    key_client: KeyClient, world: World, valkey_url: str
) -> None:
    key = (await key_client.create()).api_key
    async with announced(valkey_url, key.id):
        await key_client.update(key.id, name="Renamed")
    told = await event(world, key_client.organization_id, "key.updated")
    assert (told.data["id"], told.data["name"]) == (key.id, "Renamed")


async def test_a_revoked_key_does_not_change(key_client: KeyClient, refused: Refused) -> None:
    key = (await key_client.create()).api_key
    await key_client.revoke(key.id)
    attempt = key_client.update(key.id, name="Renamed")
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "API_KEY_REVOKED")


async def test_a_version_that_is_no_longer_the_newest_is_refused(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = (await key_client.create()).api_key
    request = pb.UpdateApiKeyRequest(api_key_id=key.id, name="Renamed")
    call = world.keys.UpdateApiKey(request, metadata=if_match(key_client.owner, '"1"'))
    await call
    assert version((await headers(call))["etag"]) == 2
    attempt = world.keys.UpdateApiKey(request, metadata=if_match(key_client.owner, '"1"'))
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    for tag in ('"2"', "*"):
        await world.keys.UpdateApiKey(request, metadata=if_match(key_client.owner, tag))


async def test_of_changes_at_once_to_one_version_one_is_made(
    key_client: KeyClient, world: World
) -> None:
    key = (await key_client.create()).api_key
    answers, reasons = await race(
        *(
            world.keys.UpdateApiKey(
                pb.UpdateApiKeyRequest(api_key_id=key.id, name=f"Name {n}"),
                metadata=if_match(key_client.owner, '"1"'),
            )
            for n in range(5)
        )
    )
    assert (len(answers), reasons) == (1, ["ETAG_MISMATCH"] * 4)
    assert (await key_client.get(key.id)).api_key == answers[0].api_key


async def test_what_the_mask_names_without_a_value_is_cleared(key_client: KeyClient) -> None:
    soon = timestamp(utc_now() + timedelta(days=1))
    key = (
        await key_client.create(
            expires_at=soon, limits=ApiKeyLimits(per_day=5), allowed_cidrs=["192.0.2.0/24"]
        )
    ).api_key
    mask = FieldMask(paths=["expires_at", "limits", "allowed_cidrs"])
    changed = (await key_client.update(key.id, update_mask=mask)).api_key
    assert not changed.HasField("expires_at")
    assert changed.limits == ApiKeyLimits()
    assert list(changed.allowed_cidrs) == []
    assert (changed.name, changed.scopes) == (key.name, key.scopes)
    assert (await key_client.get(key.id)).api_key == changed


async def test_what_the_mask_does_not_name_stays(key_client: KeyClient) -> None:
    key = (await key_client.create()).api_key
    mask = FieldMask(paths=["limits"])
    limits = ApiKeyLimits(per_day=5)
    changed = (
        await key_client.update(key.id, name="Renamed", limits=limits, update_mask=mask)
    ).api_key
    assert (changed.name, changed.limits) == (key.name, limits)


async def test_scopes_that_the_mask_does_not_name_are_not_looked_at(key_client: KeyClient) -> None:
    key = (await key_client.create("keys:read")).api_key
    mask = FieldMask(paths=["name"])
    beyond = ["keys:read", "limits:write"]
    changed = (await key_client.update(key.id, name="New", scopes=beyond, update_mask=mask)).api_key
    assert (changed.name, list(changed.scopes)) == ("New", ["keys:read"])


@pytest.mark.parametrize(
    ("path", "field", "reason"),
    [
        ("name", "name", "NOT_CLEARABLE"),
        ("scopes", "scopes", "REPEATED_MIN_ITEMS"),
        ("colour", "update_mask", "UNKNOWN_FIELD"),
        ("limits.per_day", "update_mask", "UNKNOWN_FIELD"),
        ("name.x", "update_mask", "UNKNOWN_FIELD"),
        ("update_mask", "update_mask", "UNKNOWN_FIELD"),
        ("*", "update_mask", "UNKNOWN_FIELD"),
        ("", "update_mask", "UNKNOWN_FIELD"),
    ],
)
async def test_a_mask_names_what_can_be_cleared_or_has_a_value(
    key_client: KeyClient, refused: Refused, path: str, field: str, reason: str
) -> None:
    key = (await key_client.create()).api_key
    attempt = key_client.update(key.id, update_mask=FieldMask(paths=[path]))
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == (field,)
    assert found.reasons == (reason,)
    assert (await key_client.get(key.id)).api_key == key


async def test_a_change_that_changes_nothing_leaves_no_trace(
    key_client: KeyClient, world: World
) -> None:
    created = (
        await key_client.create("keys:read", "members:read", allowed_cidrs=["10.0.0.0/8"])
    ).api_key
    for fields in (
        {},
        {"name": created.name},
        {"scopes": ["members:read", "keys:read"], "allowed_cidrs": ["10.0.0.0/8"]},
        {"update_mask": FieldMask(paths=["expires_at", "limits"])},
    ):
        request = pb.UpdateApiKeyRequest(api_key_id=created.id, **fields)
        call = world.keys.UpdateApiKey(request, metadata=if_match(key_client.owner, '"1"'))
        assert (await call).api_key == created
        assert version((await headers(call))["etag"]) == 1
    assert "key.updated" not in await event_types(world, key_client.organization_id)


async def test_a_change_that_changes_nothing_still_expects_the_version(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = (await key_client.create()).api_key
    request = pb.UpdateApiKeyRequest(api_key_id=key.id)
    attempt = world.keys.UpdateApiKey(request, metadata=if_match(key_client.owner, '"7"'))
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
