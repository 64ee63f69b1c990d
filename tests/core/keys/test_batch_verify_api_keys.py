"""Verifying many secrets at once: an answer for each, in their order, in two queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import pytest
from portico.keys.v1 import api_key_service_pb2 as pb
from portico.organizations.v1.organization_service_pb2 import GetOrganizationRequest
from sqlalchemy import event, text

from portico_kit.storage.reads import KeyedQuery, Reads
from portico_kit.tokens import new_api_key
from server.features.keys.repository import VIEW_BY_HASH
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyClient
from tests.core.world import INTERNAL_TOKEN, World, bearer


async def verify(world: World, secrets: Sequence[str]) -> list[pb.ApiKeyVerification]:
    """A service of ours asks whose secrets are."""
    request = pb.BatchVerifyApiKeysRequest(secrets=secrets)
    answer = await world.keys.BatchVerifyApiKeys(request, metadata=bearer(INTERNAL_TOKEN))
    return list(answer.verifications)


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries for many keys at once that the core makes from now on."""
    seen: list[str] = []
    fetch = Reads.fetch

    async def noted(self: Reads, query: KeyedQuery, keys: Sequence[Any], **values: Any) -> Any:
        seen.append(query.sql)
        return await fetch(self, query, keys, **values)

    monkeypatch.setattr(Reads, "fetch", noted)
    return seen


@pytest.fixture
def sessions(world: World) -> Iterator[list[str]]:
    """The statements that run in the sessions of calls."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(world.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(world.engine.sync_engine, "before_cursor_execute", note)


async def test_each_secret_gets_its_answer_in_order(key_client: KeyClient, world: World) -> None:
    good, revoked = await key_client.create("keys:read"), await key_client.create()
    await key_client.revoke(revoked.api_key.id)
    secrets = [revoked.secret, good.secret, new_api_key("test"), "nonsense", good.secret]
    answers = await verify(world, secrets)
    assert [answer.WhichOneof("outcome") for answer in answers] == [
        "refused",
        "verified",
        "refused",
        "refused",
        "verified",
    ]
    assert answers[1].verified.api_key == good.api_key
    assert {answer.refused for answer in answers} == {"API_KEY_INVALID", ""}


async def test_an_answer_is_that_of_a_single_verification(
    key_client: KeyClient, world: World
) -> None:
    key = await key_client.create()
    [answer] = await verify(world, [key.secret])
    alone = await key_client.verify(key.secret)
    assert (answer.verified.api_key, answer.verified.tier) == (alone.api_key, alone.tier)
    assert await world.organizations.GetOrganization(
        _organization(key_client), metadata=bearer(answer.verified.access_token)
    )


async def test_both_secrets_of_an_overlap_are_good(key_client: KeyClient, world: World) -> None:
    old = await key_client.create()
    new = await key_client.rotate(old.api_key.id, 60)
    answers = await verify(world, [old.secret, new.secret])
    assert [answer.verified.api_key.id for answer in answers] == [old.api_key.id] * 2


async def test_a_hundred_secrets_take_two_queries(
    key_client: KeyClient, world: World, queries: list[str]
) -> None:
    keys = [await key_client.create() for _ in range(10)]
    queries.clear()
    secrets = [key.secret for key in keys] + [new_api_key("test") for _ in range(90)]
    answers = await verify(world, secrets)
    assert sum(answer.HasField("verified") for answer in answers) == 10
    assert len(queries) == 2


async def test_no_session_is_opened_for_a_verification(
    key_client: KeyClient, world: World, sessions: list[str]
) -> None:
    key = await key_client.create()
    sessions.clear()
    await key_client.verify(key.secret)
    await verify(world, [key.secret, new_api_key("test")])
    assert sessions == []


async def test_both_hashes_of_a_key_are_found_by_their_indexes(world: World) -> None:
    explained = f"explain (generic_plan) {VIEW_BY_HASH.sql.replace('%(keys)s', '$1')}"
    async with world.engine.connect() as connection:
        await connection.execute(text("set enable_seqscan = off"))
        plan = "\n".join((await connection.exec_driver_sql(explained)).scalars())
        await connection.execute(text("reset enable_seqscan"))
    assert "uq_api_keys_secret_hash" in plan
    assert "uq_api_keys_previous_secret_hash" in plan


@pytest.mark.parametrize(
    ("secrets", "field"),
    [([], "secrets"), (["x"] * 101, "secrets"), ([""], "secrets[0]")],
    ids=["none", "too many", "empty"],
)
async def test_a_malformed_batch_is_refused(
    world: World, refused: Refused, secrets: list[str], field: str
) -> None:
    attempt = verify(world, secrets)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == (field,)


async def test_only_our_own_services_may_ask(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = await key_client.create()
    request = pb.BatchVerifyApiKeysRequest(secrets=[key.secret])
    for metadata in ((), key_client.owner.metadata, await world.key_metadata(key.secret)):
        attempt = world.keys.BatchVerifyApiKeys(request, metadata=metadata)
        await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


def _organization(key_client: KeyClient) -> GetOrganizationRequest:
    return GetOrganizationRequest(organization_id=key_client.organization_id)
