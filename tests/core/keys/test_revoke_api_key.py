"""Revoking a key: at once, for good."""

from __future__ import annotations

import grpc
from portico.keys.v1 import api_key_service_pb2 as pb
from portico.organizations.v1 import organization_service_pb2 as organizations

from tests.core.calls import if_match, race
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyRing, announced
from tests.core.records import audit_entry, event
from tests.core.world import World


async def test_its_secret_is_refused_from_then_on(ring: KeyRing, refused: Refused) -> None:
    key = await ring.create()
    revoked = (await ring.revoke(key.api_key.id)).api_key
    assert revoked.status == "revoked"
    assert revoked.HasField("revoked_at")
    await refused(ring.verify(key.secret), grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")


async def test_the_secret_from_before_a_rotation_is_refused_too(
    ring: KeyRing, refused: Refused
) -> None:
    key = await ring.create()
    rotated = await ring.rotate(key.api_key.id, 3600)
    await ring.revoke(key.api_key.id)
    for secret in (key.secret, rotated.secret):
        await refused(ring.verify(secret), grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")


async def test_a_token_that_the_edge_was_given_before_is_refused_too(
    ring: KeyRing, world: World, refused: Refused
) -> None:
    key = await ring.create("organization:read")
    metadata = await world.key_metadata(key.secret)
    await ring.revoke(key.api_key.id)
    attempt = world.organizations.GetOrganization(
        organizations.GetOrganizationRequest(organization_id=ring.organization_id),
        metadata=metadata,
    )
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_it_is_told_and_the_edge_forgets_the_key(
    ring: KeyRing, world: World, valkey_url: str
) -> None:
    key = (await ring.create()).api_key
    async with announced(valkey_url, key.id):
        await ring.revoke(key.id)
    told = await event(world, ring.organization_id, "key.revoked")
    assert (told.data["id"], told.data["status"]) == (key.id, "revoked")
    entry = await audit_entry(world, ring.organization_id, "key.revoked")
    assert (str(entry.actor_id), str(entry.target_id)) == (ring.owner.id, key.id)


async def test_a_key_is_revoked_once(ring: KeyRing, refused: Refused) -> None:
    key = (await ring.create()).api_key
    await ring.revoke(key.id)
    attempt = ring.revoke(key.id)
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "API_KEY_REVOKED")


async def test_of_two_who_revoke_at_once_one_does(ring: KeyRing, world: World) -> None:
    key = (await ring.create()).api_key
    answers, reasons = await race(*(ring.revoke(key.id) for _ in range(4)))
    assert len(answers) == 1
    assert set(reasons) <= {"API_KEY_REVOKED", "CONCURRENT_UPDATE"}
    await event(world, ring.organization_id, "key.revoked")


async def test_a_version_that_is_no_longer_the_newest_is_refused(
    ring: KeyRing, world: World, refused: Refused
) -> None:
    key = await ring.create()
    request = pb.RevokeApiKeyRequest(api_key_id=key.api_key.id)
    attempt = world.keys.RevokeApiKey(request, metadata=if_match(ring.owner, '"9"'))
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    await ring.verify(key.secret)
