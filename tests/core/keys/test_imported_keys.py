"""Using imported keys: once against the hash of the other system, from then on like our own."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from grpc import aio
from portico.keys.v1 import api_key_service_pb2 as pb
from portico.organizations.v1 import organization_service_pb2 as organizations
from sqlalchemy import text

from portico_kit.tokens import parse_api_key
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyClient
from tests.core.keys.imported import ALGORITHMS, ImportClient, foreign_secret
from tests.core.world import INTERNAL_TOKEN, World, bearer, refusal

INVALID = (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")
# bcrypt's cost at which a hash takes about half a second.
SLOW = 13


def wrong(secret: str) -> str:
    """Another secret with the same prefix."""
    return secret[:-1] + ("0" if secret[-1] != "0" else "1")


async def imported_row(world: World, key_id: str) -> tuple[str | None, bytes | None] | None:
    """What is kept of an imported secret."""
    query = text("select algorithm, sealed_hash from imported_secrets where api_key_id = :id")
    async with world.engine.connect() as connection:
        row = (await connection.execute(query, {"id": key_id})).one_or_none()
    return None if row is None else (row[0], row[1])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_the_secret_is_good_and_another_with_its_prefix_is_not(
    key_client: KeyClient,
    import_client: ImportClient,
    world: World,
    refused: Refused,
    algorithm: str,
) -> None:
    secret = foreign_secret()
    key_id = await import_client.bring_one(secret, algorithm)
    await refused(key_client.verify(wrong(secret)), *INVALID)
    verified = await key_client.verify(secret)
    assert (verified.api_key.id, verified.tier) == (key_id, "free")
    mine = organizations.GetOrganizationRequest(organization_id=key_client.organization_id)
    await world.organizations.GetOrganization(mine, metadata=bearer(verified.access_token))
    await refused(key_client.verify(wrong(secret)), *INVALID)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_after_the_first_use_the_imported_hash_is_gone(
    key_client: KeyClient, import_client: ImportClient, world: World, algorithm: str
) -> None:
    secret = foreign_secret()
    key_id = await import_client.bring_one(secret, algorithm)
    before = (await key_client.get(key_id)).api_key
    await key_client.verify(secret)
    assert await imported_row(world, key_id) == (None, None)
    assert (await key_client.verify(secret)).api_key.id == key_id
    # It is a use and no change.
    assert (await key_client.get(key_id)).api_key == before


@pytest.mark.parametrize("algorithm", ["sha256", "bcrypt"])
async def test_first_uses_at_once_all_succeed(
    key_client: KeyClient, import_client: ImportClient, algorithm: str
) -> None:
    secret = foreign_secret()
    key_id = await import_client.bring_one(secret, algorithm)
    found = await asyncio.gather(*(key_client.verify(secret) for _ in range(20)))
    assert {each.api_key.id for each in found} == {key_id}


async def test_of_a_long_secret_bcrypt_saw_the_start_and_we_see_all(
    key_client: KeyClient, import_client: ImportClient, refused: Refused
) -> None:
    secret = foreign_secret(512)
    key_id = await import_client.bring_one(secret, "bcrypt")
    assert (await key_client.verify(secret)).api_key.id == key_id
    await refused(key_client.verify(wrong(secret)), *INVALID)


async def test_many_are_verified_at_once_beside_our_own(
    key_client: KeyClient, import_client: ImportClient, world: World
) -> None:
    ours, secrets = await key_client.create(), [foreign_secret() for _ in ALGORITHMS]
    keys = [
        await import_client.bring_one(each, algorithm)
        for each, algorithm in zip(secrets, ALGORITHMS, strict=True)
    ]
    asked = [wrong(secrets[0]), *secrets, ours.secret, foreign_secret()]
    request = pb.BatchVerifyApiKeysRequest(secrets=asked)
    answer = await world.keys.BatchVerifyApiKeys(request, metadata=bearer(INTERNAL_TOKEN))
    found = [each.verified.api_key.id for each in answer.verifications]
    assert found == ["", *keys, ours.api_key.id, ""]


@pytest.mark.parametrize("used", [True, False], ids=["used", "never used"])
async def test_a_revoked_one_is_refused_for_good(
    key_client: KeyClient, import_client: ImportClient, world: World, refused: Refused, used: bool
) -> None:
    secret = foreign_secret()
    key_id = await import_client.bring_one(secret)
    if used:
        await key_client.verify(secret)
    await key_client.revoke(key_id)
    await refused(key_client.verify(secret), *INVALID)
    assert await imported_row(world, key_id) is None


async def test_it_is_good_until_it_expires(
    key_client: KeyClient, import_client: ImportClient, world: World, refused: Refused
) -> None:
    secret = foreign_secret()
    await import_client.bring_one(secret, expires_at=datetime.now(UTC) + timedelta(minutes=1))
    with world.clock.later(timedelta(minutes=1)):
        await refused(key_client.verify(secret), *INVALID)
    await key_client.verify(secret)


async def test_a_deleted_organizations_is_refused(
    key_client: KeyClient, import_client: ImportClient, world: World, refused: Refused
) -> None:
    secret = foreign_secret()
    await import_client.bring_one(secret)
    gone = organizations.DeleteOrganizationRequest(organization_id=key_client.organization_id)
    await world.organizations.DeleteOrganization(gone, metadata=key_client.owner.metadata)
    await refused(key_client.verify(secret), *INVALID)


async def test_rotation_makes_it_one_of_ours(
    key_client: KeyClient, import_client: ImportClient, world: World, refused: Refused
) -> None:
    secret = foreign_secret()
    key_id = await import_client.bring_one(secret)
    rotated = await key_client.rotate(key_id)
    assert parse_api_key(rotated.secret) is not None
    assert rotated.secret.startswith(rotated.api_key.prefix)
    assert (await key_client.verify(rotated.secret)).api_key.id == key_id
    await refused(key_client.verify(secret), *INVALID)
    assert await imported_row(world, key_id) is None


@pytest.mark.parametrize("used", [True, False], ids=["used", "never used"])
async def test_after_a_rotation_it_overlaps(
    key_client: KeyClient, import_client: ImportClient, world: World, refused: Refused, used: bool
) -> None:
    secret = foreign_secret()
    key_id = await import_client.bring_one(secret)
    if used:
        await key_client.verify(secret)
    rotated = await key_client.rotate(key_id, 3600)
    for good in (rotated.secret, secret, secret, rotated.secret):
        assert (await key_client.verify(good)).api_key.id == key_id
    with world.clock.later(timedelta(hours=1)):
        await refused(key_client.verify(secret), *INVALID)


async def test_an_overlap_that_nobody_used_ends_in_time(
    key_client: KeyClient, import_client: ImportClient, world: World, refused: Refused
) -> None:
    secret = foreign_secret()
    await key_client.rotate(await import_client.bring_one(secret), 3600)
    with world.clock.later(timedelta(hours=1)):
        await refused(key_client.verify(secret), *INVALID)


async def test_of_two_rotations_it_does_not_overlap_the_second(
    key_client: KeyClient, import_client: ImportClient, refused: Refused
) -> None:
    secret = foreign_secret()
    key_id = await import_client.bring_one(secret)
    first = await key_client.rotate(key_id, 3600)
    second = await key_client.rotate(key_id, 3600)
    await refused(key_client.verify(secret), *INVALID)
    for good in (first.secret, second.secret):
        await key_client.verify(good)


async def test_a_first_use_in_the_middle_of_a_rotation_loses_nothing(
    key_client: KeyClient, import_client: ImportClient
) -> None:
    for _ in range(5):
        secret = foreign_secret()
        key_id = await import_client.bring_one(secret)
        rotated, used, _ = await asyncio.gather(
            key_client.rotate(key_id, 3600), key_client.verify(secret), key_client.verify(secret)
        )
        assert used.api_key.id == key_id
        for good in (secret, rotated.secret):
            assert (await key_client.verify(good)).api_key.id == key_id


async def test_while_a_slow_hash_is_computed_others_are_answered(
    key_client: KeyClient, import_client: ImportClient
) -> None:
    secret, ours = foreign_secret(), await key_client.create()
    await import_client.bring_one(secret, "bcrypt", cost=SLOW)
    slow = asyncio.create_task(timed(key_client, secret))
    await asyncio.sleep(0.05)
    others = [await timed(key_client, ours.secret) for _ in range(5)]
    assert not slow.done()
    assert await slow > max(others) * 2


async def timed(key_client: KeyClient, secret: str) -> float:
    """How many seconds a verification takes."""
    began = time.monotonic()
    await key_client.verify(secret)
    return time.monotonic() - began


async def test_a_check_goes_on_when_its_caller_has_left(
    key_client: KeyClient, import_client: ImportClient, world: World
) -> None:
    secret = foreign_secret()
    key_id = await import_client.bring_one(secret, "bcrypt", cost=SLOW)
    request = pb.VerifyApiKeyRequest(secret=secret)
    impatient = world.keys.VerifyApiKey(request, metadata=bearer(INTERNAL_TOKEN), timeout=0.05)
    with pytest.raises(aio.AioRpcError):
        await impatient
    for _ in range(100):
        await asyncio.sleep(0.05)
        if await imported_row(world, key_id) == (None, None):
            return
    pytest.fail("the check ended with its caller")


async def test_made_up_secrets_for_one_prefix_take_little(
    key_client: KeyClient, import_client: ImportClient
) -> None:
    """Two checks of one key at once; more are told to come back, and so is its owner."""
    secret = foreign_secret()
    await import_client.bring_one(secret, "bcrypt", cost=10)
    made_up = [secret[:-2] + f"{number:02}" for number in range(20)]
    found = await asyncio.gather(
        *(key_client.verify(each) for each in made_up), return_exceptions=True
    )
    refusals = [refusal(each) for each in found if isinstance(each, aio.AioRpcError)]
    reasons = [each.reason for each in refusals]
    assert set(reasons) == {"API_KEY_INVALID", "UNAVAILABLE"}
    assert reasons.count("UNAVAILABLE") >= len(found) // 2
    await key_client.verify(secret)
