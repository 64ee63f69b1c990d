"""Revoking a key: at once, for good."""

from __future__ import annotations

import grpc
from portico.keys.v1 import api_key_service_pb2 as pb
from portico.organizations.v1 import organization_service_pb2 as organizations

from tests.core.calls import if_match, race
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyClient, announced
from tests.core.records import audit_entry, event
from tests.core.world import World


async def test_its_secret_is_refused_from_then_on(key_client: KeyClient, refused: Refused) -> None:
    key = await key_client.create()
    revoked = (await key_client.revoke(key.api_key.id)).api_key
    assert revoked.status == "revoked"
    assert revoked.HasField("revoked_at")
    await refused(key_client.verify(key.secret), grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")


async def test_the_secret_from_before_a_rotation_is_refused_too(
    key_client: KeyClient, refused: Refused
) -> None:
    key = await key_client.create()
    rotated = await key_client.rotate(key.api_key.id, 3600)
    await key_client.revoke(key.api_key.id)
    for secret in (key.secret, rotated.secret):
        await refused(key_client.verify(secret), grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")


async def test_a_token_that_the_edge_was_given_before_is_refused_too(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = await key_client.create("organization:read")
    metadata = await world.key_metadata(key.secret)
    await key_client.revoke(key.api_key.id)
    attempt = world.organizations.GetOrganization(
        organizations.GetOrganizationRequest(organization_id=key_client.organization_id),
        metadata=metadata,
    )
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_it_is_told_and_the_edge_forgets_the_key(
    key_client: KeyClient, world: World, valkey_url: str
) -> None:
    key = (await key_client.create()).api_key
    async with announced(valkey_url, key.id):
        await key_client.revoke(key.id)
    told = await event(world, key_client.organization_id, "key.revoked")
    assert (told.data["id"], told.data["status"]) == (key.id, "revoked")
    entry = await audit_entry(world, key_client.organization_id, "key.revoked")
    assert (str(entry.actor_id), str(entry.target_id)) == (key_client.owner.id, key.id)


async def test_a_key_is_revoked_once(key_client: KeyClient, refused: Refused) -> None:
    key = (await key_client.create()).api_key
    await key_client.revoke(key.id)
    attempt = key_client.revoke(key.id)
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "API_KEY_REVOKED")


async def test_of_two_who_revoke_at_once_one_does(key_client: KeyClient, world: World) -> None:
    key = (await key_client.create()).api_key
    answers, reasons = await race(*(key_client.revoke(key.id) for _ in range(4)))
    assert len(answers) == 1
    assert set(reasons) <= {"API_KEY_REVOKED", "CONCURRENT_UPDATE"}
    await event(world, key_client.organization_id, "key.revoked")


async def test_a_version_that_is_no_longer_the_newest_is_refused(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = await key_client.create()
    request = pb.RevokeApiKeyRequest(api_key_id=key.api_key.id)
    attempt = world.keys.RevokeApiKey(request, metadata=if_match(key_client.owner, '"9"'))
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    await key_client.verify(key.secret)
