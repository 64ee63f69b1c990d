"""Rotating a key: a new secret, and the old one for as long as its users need to change."""

from __future__ import annotations

from datetime import timedelta

import grpc
from portico.organizations.v1.organization_service_pb2 import GetOrganizationRequest

from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyClient, announced
from tests.core.records import event
from tests.core.world import World

REFUSED = (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")


async def test_without_an_overlap_the_old_secret_is_refused_at_once(
    key_client: KeyClient, refused: Refused
) -> None:
    key = await key_client.create()
    rotated = await key_client.rotate(key.api_key.id)
    assert rotated.secret != key.secret
    assert rotated.secret.startswith(rotated.api_key.prefix)
    assert not rotated.api_key.HasField("previous_secret_expires_at")
    await refused(key_client.verify(key.secret), *REFUSED)
    assert (await key_client.verify(rotated.secret)).api_key == rotated.api_key


async def test_within_the_overlap_both_secrets_are_good(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = await key_client.create()
    rotated = await key_client.rotate(key.api_key.id, 3600)
    for secret in (key.secret, rotated.secret):
        assert (await key_client.verify(secret)).api_key.id == key.api_key.id
    with world.clock.later(timedelta(hours=1)):
        await refused(key_client.verify(key.secret), *REFUSED)
        await key_client.verify(rotated.secret)


async def test_the_edge_keeps_an_old_secret_no_longer_than_the_overlap(
    key_client: KeyClient,
) -> None:
    key = await key_client.create()
    rotated = (await key_client.rotate(key.api_key.id, 30)).api_key
    verified = await key_client.verify(key.secret)
    assert verified.expires_at == rotated.previous_secret_expires_at


async def test_of_old_secrets_only_the_last_overlaps(
    key_client: KeyClient, refused: Refused
) -> None:
    first = await key_client.create()
    second = await key_client.rotate(first.api_key.id, 3600)
    third = await key_client.rotate(first.api_key.id, 3600)
    await refused(key_client.verify(first.secret), *REFUSED)
    for secret in (second.secret, third.secret):
        await key_client.verify(secret)


async def test_the_change_is_told_without_the_secret_and_the_edge_forgets_the_key(
    key_client: KeyClient, world: World, valkey_url: str
) -> None:
    key = (await key_client.create()).api_key
    async with announced(valkey_url, key.id):
        rotated = await key_client.rotate(key.id)
    told = await event(world, key_client.organization_id, "key.rotated")
    assert told.data["prefix"] == rotated.api_key.prefix
    assert rotated.secret not in str(told.data)


async def test_a_revoked_key_gets_no_new_secret(key_client: KeyClient, refused: Refused) -> None:
    key = (await key_client.create()).api_key
    await key_client.revoke(key.id)
    attempt = key_client.rotate(key.id)
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "API_KEY_REVOKED")


async def test_an_overlap_of_more_than_a_week_is_refused(
    key_client: KeyClient, refused: Refused
) -> None:
    key = (await key_client.create()).api_key
    attempt = key_client.rotate(key.id, 604_801)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("overlap_seconds",)


async def test_a_token_for_the_old_secret_ends_with_it_though_the_edge_still_has_it(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = await key_client.create()
    old = await world.key_metadata(key.secret)
    request = GetOrganizationRequest(organization_id=key_client.organization_id)
    rotated = await key_client.rotate(key.api_key.id, 60)
    await world.organizations.GetOrganization(request, metadata=old)
    await key_client.rotate(key.api_key.id)
    attempt = world.organizations.GetOrganization(request, metadata=old)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    await refused(key_client.verify(rotated.secret), *REFUSED)
