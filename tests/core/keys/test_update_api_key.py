"""Changing a key: only what is given, never over somebody else's change, and at once."""

from __future__ import annotations

import grpc
from portico.keys.v1 import api_key_service_pb2 as pb
from portico.keys.v1.api_key_pb2 import ApiKeyLimits
from portico.organizations.v1 import organization_service_pb2 as organizations

from tests.core.calls import headers, if_match, race, version
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyRing, announced
from tests.core.records import event
from tests.core.world import World


async def test_only_the_given_fields_change(ring: KeyRing) -> None:
    limits = ApiKeyLimits(per_minute=1, per_hour=2)
    key = (await ring.create("keys:read", limits=limits)).api_key
    await ring.update(key.id, name="Renamed")
    changed = (await ring.update(key.id, scopes=["members:read", "keys:read"])).api_key
    assert (changed.name, list(changed.scopes)) == ("Renamed", ["keys:read", "members:read"])
    assert changed.limits == limits


async def test_new_limits_replace_all_of_the_old_ones(ring: KeyRing) -> None:
    key = (await ring.create(limits=ApiKeyLimits(per_minute=1, per_hour=2))).api_key
    changed = (await ring.update(key.id, limits=ApiKeyLimits(per_month=3))).api_key
    assert changed.limits == ApiKeyLimits(per_month=3)


async def test_scopes_that_are_taken_count_at_the_next_call(
    ring: KeyRing, world: World, refused: Refused
) -> None:
    key = await ring.create("organization:read", "members:read")
    metadata = await world.key_metadata(key.secret)
    await ring.update(key.api_key.id, scopes=["members:read"])
    attempt = world.organizations.GetOrganization(
        organizations.GetOrganizationRequest(organization_id=ring.organization_id),
        metadata=metadata,
    )
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_a_person_gives_a_key_at_most_their_own_permissions(
    ring: KeyRing, world: World, refused: Refused
) -> None:
    key = (await ring.create()).api_key
    member = await world.new_member(ring.organization_id, ring.owner, "member")
    attempt = world.keys.UpdateApiKey(
        pb.UpdateApiKeyRequest(api_key_id=key.id, scopes=["members:write"]),
        metadata=member.metadata,
    )
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "SCOPE_NOT_GRANTABLE")


async def test_the_change_is_told_and_the_edge_forgets_the_key(
    ring: KeyRing, world: World, valkey_url: str
) -> None:
    key = (await ring.create()).api_key
    async with announced(valkey_url, key.id):
        await ring.update(key.id, name="Renamed")
    told = await event(world, ring.organization_id, "key.updated")
    assert (told.data["id"], told.data["name"]) == (key.id, "Renamed")


async def test_a_revoked_key_does_not_change(ring: KeyRing, refused: Refused) -> None:
    key = (await ring.create()).api_key
    await ring.revoke(key.id)
    attempt = ring.update(key.id, name="Renamed")
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "API_KEY_REVOKED")


async def test_a_version_that_is_no_longer_the_newest_is_refused(
    ring: KeyRing, world: World, refused: Refused
) -> None:
    key = (await ring.create()).api_key
    request = pb.UpdateApiKeyRequest(api_key_id=key.id, name="Renamed")
    call = world.keys.UpdateApiKey(request, metadata=if_match(ring.owner, '"1"'))
    await call
    assert version((await headers(call))["etag"]) == 2
    attempt = world.keys.UpdateApiKey(request, metadata=if_match(ring.owner, '"1"'))
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    for tag in ('"2"', "*"):
        await world.keys.UpdateApiKey(request, metadata=if_match(ring.owner, tag))


async def test_of_changes_at_once_to_one_version_one_is_made(ring: KeyRing, world: World) -> None:
    key = (await ring.create()).api_key
    answers, reasons = await race(
        *(
            world.keys.UpdateApiKey(
                pb.UpdateApiKeyRequest(api_key_id=key.id, name=f"Name {n}"),
                metadata=if_match(ring.owner, '"1"'),
            )
            for n in range(5)
        )
    )
    assert (len(answers), reasons) == (1, ["ETAG_MISMATCH"] * 4)
    assert (await ring.get(key.id)).api_key == answers[0].api_key
