"""Counting uses: added up, never twice, and no change of the key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from portico.keys.v1 import api_key_service_pb2 as pb

from portico_kit.clock import timestamp
from portico_kit.ids import new_id
from tests.core.calls import headers, if_match, race, version
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyClient
from tests.core.world import INTERNAL_TOKEN, World, bearer

EARLIER = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = EARLIER + timedelta(hours=1)


def uses(key_id: str, count: int = 1, at: datetime = EARLIER) -> pb.ApiKeyUses:
    return pb.ApiKeyUses(api_key_id=key_id, count=count, last_used_at=timestamp(at))


def record(world: World, *counted: pb.ApiKeyUses, batch: str = "") -> Any:
    """An edge process hands over what it has counted."""
    metadata = (*bearer(INTERNAL_TOKEN), ("idempotency-key", batch or str(uuid4())))
    return world.keys.RecordApiKeyUses(pb.RecordApiKeyUsesRequest(uses=counted), metadata=metadata)


async def test_a_new_key_was_never_used(key_client: KeyClient) -> None:
    key = (await key_client.create()).api_key
    assert key.use_count == 0
    assert not key.HasField("last_used_at")


async def test_counts_add_up_and_the_latest_moment_stays(
    key_client: KeyClient, world: World
) -> None:
    first, second = [(await key_client.create()).api_key for _ in range(2)]
    await record(world, uses(first.id, 3, LATER), uses(second.id))
    await record(world, uses(first.id, 4, EARLIER))
    shown = (await key_client.get(first.id)).api_key
    assert (shown.use_count, shown.last_used_at) == (7, timestamp(LATER))
    assert (await key_client.get(second.id)).api_key.use_count == 1


async def test_a_batch_that_is_sent_again_counts_once(key_client: KeyClient, world: World) -> None:
    key = (await key_client.create()).api_key
    for _ in range(3):
        await record(world, uses(key.id, 5), batch="batch-of-" + key.id)
    assert (await key_client.get(key.id)).api_key.use_count == 5


async def test_two_processes_at_once_lose_nothing(key_client: KeyClient, world: World) -> None:
    keys = [(await key_client.create()).api_key.id for _ in range(5)]
    counted = [uses(key_id) for key_id in keys]
    batches = [record(world, *ordered) for ordered in [counted, counted[::-1]] * 5]
    _, refused = await race(*batches)
    assert refused == []
    assert [(await key_client.get(key_id)).api_key.use_count for key_id in keys] == [10] * 5


async def test_a_key_that_does_not_exist_is_passed_over(
    key_client: KeyClient, world: World
) -> None:
    key = (await key_client.create()).api_key
    await record(world, uses(str(new_id())), uses(key.id))
    assert (await key_client.get(key.id)).api_key.use_count == 1


async def test_the_same_key_twice_in_a_batch_counts_twice(
    key_client: KeyClient, world: World
) -> None:
    key = (await key_client.create()).api_key
    await record(world, uses(key.id, 2), uses(key.id, 3))
    assert (await key_client.get(key.id)).api_key.use_count == 5


async def test_a_use_is_no_change_of_the_key_but_one_of_the_answer(
    key_client: KeyClient, world: World
) -> None:
    key = (await key_client.create()).api_key
    request = pb.GetApiKeyRequest(api_key_id=key.id)
    before = world.keys.GetApiKey(request, metadata=key_client.owner.metadata)
    updated_at, etag = (await before).api_key.updated_at, (await headers(before))["etag"]
    await record(world, uses(key.id))
    after = world.keys.GetApiKey(request, metadata=key_client.owner.metadata)
    assert (await after).api_key.updated_at == updated_at
    tag = (await headers(after))["etag"]
    assert (version(tag), tag == etag) == (version(etag), False)
    # Whoever read the key before its use may still change it.
    metadata = if_match(key_client.owner, etag)
    await world.keys.UpdateApiKey(
        pb.UpdateApiKeyRequest(api_key_id=key.id, name="renamed"), metadata=metadata
    )


@pytest.mark.parametrize(
    ("counted", "field"),
    [
        ([], "uses"),
        ([uses(str(new_id()))] * 1001, "uses"),
        ([uses("nobody")], "uses[0].api_key_id"),
        ([uses(str(new_id()), 0)], "uses[0].count"),
        ([pb.ApiKeyUses(api_key_id=str(new_id()), count=1)], "uses[0].last_used_at"),
    ],
    ids=["none", "too many", "no id", "no count", "no moment"],
)
async def test_a_malformed_batch_is_refused(
    world: World, refused: Refused, counted: list[pb.ApiKeyUses], field: str
) -> None:
    attempt = record(world, *counted)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == (field,)


async def test_only_our_own_services_may_count(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = await key_client.create()
    for metadata in ((), key_client.owner.metadata, await world.key_metadata(key.secret)):
        attempt = world.keys.RecordApiKeyUses(
            pb.RecordApiKeyUsesRequest(uses=[uses(key.api_key.id)]), metadata=metadata
        )
        await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
