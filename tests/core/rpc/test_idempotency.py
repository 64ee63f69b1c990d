"""A write that is repeated with its Idempotency-Key happens once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import grpc
from grpc import aio
from portico.keys.v1 import api_key_service_pb2 as pb

from tests.core.conftest import Refused
from tests.core.world import Person, World, refusal


def create(organization_id: str, name: str = "a key") -> pb.CreateApiKeyRequest:
    return pb.CreateApiKeyRequest(
        organization_id=organization_id, name=name, scopes=["organization:read"]
    )


def with_key(person: Person, key: str) -> tuple[tuple[str, str], ...]:
    return (*person.metadata, ("idempotency-key", key))


async def count(world: World, owner: Person, organization_id: str) -> int:
    request = pb.ListApiKeysRequest(organization_id=organization_id)
    return len((await world.keys.ListApiKeys(request, metadata=owner.metadata)).api_keys)


async def test_a_repeated_write_gets_the_first_answer_with_its_secret(
    world: World, owner: Person, organization_id: str
) -> None:
    metadata = with_key(owner, str(uuid4()))
    first = await world.keys.CreateApiKey(create(organization_id), metadata=metadata)
    repeated = world.keys.CreateApiKey(create(organization_id), metadata=metadata)
    assert await repeated == first
    headers = dict(await repeated.initial_metadata())
    assert headers["idempotent-replayed"] == "true"
    assert headers["location"] == f"/api/v1/api-keys/{first.api_key.id}"
    assert await count(world, owner, organization_id) == 1


async def test_another_request_with_the_same_key_is_refused(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    metadata = with_key(owner, str(uuid4()))
    await world.keys.CreateApiKey(create(organization_id), metadata=metadata)
    other = world.keys.CreateApiKey(create(organization_id, "another"), metadata=metadata)
    await refused(other, grpc.StatusCode.INVALID_ARGUMENT, "IDEMPOTENCY_KEY_REUSED")


async def test_of_many_at_once_one_happens_and_the_rest_wait_or_are_told(
    world: World, owner: Person, organization_id: str
) -> None:
    metadata = with_key(owner, str(uuid4()))
    results = await asyncio.gather(
        *(world.keys.CreateApiKey(create(organization_id), metadata=metadata) for _ in range(8)),
        return_exceptions=True,
    )
    answers = [found for found in results if isinstance(found, pb.CreateApiKeyResponse)]
    refusals = [refusal(error) for error in results if isinstance(error, aio.AioRpcError)]
    assert len(answers) + len(refusals) == 8
    assert answers
    assert len({answer.api_key.id for answer in answers}) == 1
    assert {found.reason for found in refusals} <= {"IDEMPOTENCY_KEY_IN_USE"}
    assert await count(world, owner, organization_id) == 1


async def test_two_callers_may_choose_the_same_key(
    world: World, owner: Person, organization_id: str, stranger: Person
) -> None:
    key = str(uuid4())
    await world.keys.CreateApiKey(create(organization_id), metadata=with_key(owner, key))
    theirs = await world.new_organization(stranger)
    answer = await world.keys.CreateApiKey(create(theirs), metadata=with_key(stranger, key))
    assert answer.api_key.organization_id == theirs


async def test_a_refusal_is_not_kept(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    metadata = with_key(owner, str(uuid4()))
    request = create(organization_id)
    request.scopes[:] = ["nothing:read"]
    attempt = world.keys.CreateApiKey(request, metadata=metadata)
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "SCOPE_UNKNOWN")
    await world.keys.CreateApiKey(create(organization_id), metadata=metadata)


async def test_after_a_day_the_key_is_free_again(
    world: World, owner: Person, organization_id: str
) -> None:
    metadata = with_key(owner, str(uuid4()))
    first = await world.keys.CreateApiKey(create(organization_id), metadata=metadata)
    with world.clock.later(timedelta(hours=25)):
        later = await world.sign_in(owner.email)
        again = (*later.metadata, metadata[-1])
        second = await world.keys.CreateApiKey(create(organization_id), metadata=again)
    assert second.api_key.id != first.api_key.id


async def test_a_key_that_is_too_long_is_refused(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    call = world.keys.CreateApiKey(create(organization_id), metadata=with_key(owner, "x" * 256))
    found = await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("Idempotency-Key",)
