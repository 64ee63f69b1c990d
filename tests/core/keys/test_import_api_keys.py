"""Importing keys: all or none, by an administrator, and nothing of it can be read back."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from portico.keys.v1 import api_key_service_pb2 as pb
from portico.keys.v1.api_key_import_pb2 import ApiKeyImport
from portico.keys.v1.api_key_pb2 import ApiKeyLimits
from redis.asyncio import Redis
from sqlalchemy import text

from portico_kit.edge_state.imported_keys import (
    ANY_PREFIX,
    IMPORTED_PREFIXES,
    IMPORTED_PREFIXES_CHANNEL,
    MAX_SHORT_PREFIXES,
)
from server.features.keys.imported.prefixes import ImportedPrefixesProjection
from tests.core.calls import headers, race
from tests.core.conftest import Audited, Refused
from tests.core.keys.conftest import KeyClient
from tests.core.keys.imported import (
    ALGORITHMS,
    HMAC_KEY,
    ImportClient,
    described,
    foreign_secret,
    hashed,
    prefix_of,
)
from tests.core.records import events
from tests.core.world import Person, World

INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
TAKEN = (grpc.StatusCode.ALREADY_EXISTS, "PREFIX_TAKEN")


async def listed(key_client: KeyClient) -> list[str]:
    """The prefixes of the organization's keys."""
    request = pb.ListApiKeysRequest(organization_id=key_client.organization_id)
    answer = await key_client.world.keys.ListApiKeys(request, metadata=key_client.owner.metadata)
    return [key.prefix for key in answer.api_keys]


async def test_an_imported_key_is_a_key_like_others(
    key_client: KeyClient, import_client: ImportClient
) -> None:
    until = Timestamp()
    until.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    secret = foreign_secret()
    answer = await import_client.bring(
        described(
            secret,
            "bcrypt",
            name="Reporting",
            scopes=["webhooks:read", "keys:read"],
            limits=ApiKeyLimits(per_minute=10),
            allowed_cidrs=["2001:DB8::/32"],
            expires_at=until,
        )
    )
    [key] = answer.api_keys
    assert (key.name, key.status, key.prefix) == ("Reporting", "active", prefix_of(secret))
    assert key.organization_id == key_client.organization_id
    assert key.created_by == import_client.administrator.id
    assert list(key.scopes) == ["keys:read", "webhooks:read"]
    assert list(key.allowed_cidrs) == ["2001:db8::/32"]
    assert (key.limits, key.expires_at) == (ApiKeyLimits(per_minute=10), until)
    assert (await key_client.get(key.id)).api_key == key
    assert (await key_client.update(key.id, name="Reports")).api_key.name == "Reports"


async def test_the_answer_says_where_they_are_listed(
    import_client: ImportClient, world: World
) -> None:
    call = world.keys.ImportApiKeys(
        pb.ImportApiKeysRequest(
            organization_id=import_client.organization_id, keys=[described(foreign_secret())]
        ),
        metadata=import_client.administrator.metadata,
    )
    await call
    told = (await headers(call))["location"]
    assert told == f"/api/v1/organizations/{import_client.organization_id}/api-keys"


async def test_many_come_at_once_in_their_order(
    key_client: KeyClient, import_client: ImportClient
) -> None:
    secrets = [foreign_secret() for _ in range(100)]
    keys = [described(each, ALGORITHMS[at % 2]) for at, each in enumerate(secrets)]
    answer = await import_client.bring(*keys)
    assert [key.prefix for key in answer.api_keys] == [prefix_of(each) for each in secrets]


async def test_each_is_told_and_audited_without_its_hash(
    key_client: KeyClient, import_client: ImportClient, world: World, audited: Audited
) -> None:
    keys = [described(foreign_secret(), algorithm) for algorithm in ALGORITHMS]
    answer = await import_client.bring(*keys)
    told = [
        one for one in await events(world, key_client.organization_id) if one.type == "key.imported"
    ]
    assert [one.data["id"] for one in told] == [key.id for key in answer.api_keys]
    for key in answer.api_keys:
        assert await audited(key.id) == ["key.imported"]
    for hidden in readable(keys):
        assert hidden not in str([one.data for one in told])


def readable(keys: list[ApiKeyImport]) -> list[str]:
    """The forms in which a hash or the key of the HMACs would be recognised."""
    digests = [HMAC_KEY, *(key.sha256 or key.hmac_sha256 for key in keys)]
    coded = [form for each in digests if each for form in (each.hex(), base64.b64encode(each))]
    return [str(each, "ascii") if isinstance(each, bytes) else each for each in coded] + [
        key.bcrypt for key in keys if key.bcrypt
    ]


async def test_nothing_of_it_can_be_read_in_the_database_or_the_logs(
    import_client: ImportClient, world: World, refused: Refused
) -> None:
    keys = [described(foreign_secret(), algorithm) for algorithm in ALGORITHMS]
    await import_client.bring(*keys)
    with structlog.testing.capture_logs() as lines:
        await refused(import_client.bring(*keys), *TAKEN)
    async with world.engine.connect() as connection:
        rows = await connection.execute(text("select imported_secrets::text from imported_secrets"))
    seen = f"{rows.scalars().all()} {lines}"
    assert prefix_of(keys[0].prefix) in seen
    for hidden in readable(keys):
        assert hidden not in seen


async def test_if_one_is_refused_none_is_imported(
    key_client: KeyClient, import_client: ImportClient, refused: Refused
) -> None:
    there, new = foreign_secret(), foreign_secret()
    await import_client.bring_one(there)
    found = await refused(import_client.bring(described(new), described(there)), *TAKEN)
    assert found.fields == ("keys[1].prefix",)
    assert await listed(key_client) == [prefix_of(there)]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda prefix: prefix, id="the same"),
        pytest.param(lambda prefix: prefix + "0", id="starts with it"),
        pytest.param(lambda prefix: prefix[:-1], id="starts it"),
    ],
)
async def test_no_prefix_starts_another(
    import_client: ImportClient, refused: Refused, other: Callable[[str], str]
) -> None:
    secret, second = foreign_secret(), foreign_secret()
    overlapping = described(second, prefix=other(prefix_of(secret)))
    found = await refused(import_client.bring(described(secret), overlapping), *INVALID)
    assert found.fields == ("keys[1].prefix",)
    await import_client.bring_one(secret)
    found = await refused(import_client.bring(overlapping), *TAKEN)
    assert found.fields == ("keys[0].prefix",)


async def test_of_two_who_import_the_same_prefix_at_once_one_wins(
    key_client: KeyClient, import_client: ImportClient
) -> None:
    secret = foreign_secret()
    answers, reasons = await race(*(import_client.bring(described(secret)) for _ in range(4)))
    assert (len(answers), reasons) == (1, ["PREFIX_TAKEN"] * 3)


async def test_two_keys_with_one_hash_are_a_mistake(
    import_client: ImportClient, refused: Refused
) -> None:
    secret = foreign_secret()
    twice = described(secret), described(foreign_secret(), **hashed(secret, "sha256"))
    found = await refused(import_client.bring(*twice), *INVALID)
    assert found.fields == ("keys[1].sha256",)


async def test_the_start_of_our_own_keys_is_kept_for_them(
    import_client: ImportClient, refused: Refused
) -> None:
    found = await refused(
        import_client.bring(described(foreign_secret(), prefix="pk_live_0")), *INVALID
    )
    assert found.fields == ("keys[0].prefix",)


BCRYPT = "$2b${cost}$" + "a" * 21 + "e" + "a" * 31


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prefix": "short"}, "keys[0].prefix"),
        ({"prefix": "x" * 33}, "keys[0].prefix"),
        ({"prefix": "with a blank"}, "keys[0].prefix"),
        ({"name": ""}, "keys[0].name"),
        ({"scopes": []}, "keys[0].scopes"),
        ({"allowed_cidrs": ["192.0.2.1/24"]}, "keys[0].allowed_cidrs[0]"),
        ({"sha256": b"x" * 31}, "keys[0].sha256"),
        ({"hmac_sha256": b"x" * 33}, "keys[0].hmac_sha256"),
        ({"bcrypt": BCRYPT.format(cost="15")}, "keys[0].bcrypt"),
        ({"bcrypt": BCRYPT.format(cost="03")}, "keys[0].bcrypt"),
        ({"bcrypt": BCRYPT.format(cost="10")[:-1]}, "keys[0].bcrypt"),
        ({"bcrypt": BCRYPT.format(cost="10").replace("e", "f")}, "keys[0].bcrypt"),
    ],
)
async def test_a_malformed_key_is_refused_by_the_name_of_its_field(
    import_client: ImportClient, refused: Refused, fields: dict[str, Any], field: str
) -> None:
    key = described(foreign_secret())
    for name, value in fields.items():
        key.ClearField(name)  # type: ignore[arg-type]
        key.MergeFrom(ApiKeyImport(**{name: value}))
    assert (await refused(import_client.bring(key), *INVALID)).fields == (field,)


async def test_a_key_without_a_hash_is_refused_by_the_names_that_it_could_have(
    import_client: ImportClient, refused: Refused
) -> None:
    key = described(foreign_secret())
    key.ClearField("sha256")
    found = await refused(import_client.bring(key), *INVALID)
    assert found.fields == ("keys[0].hmac_sha256", "keys[0].sha256", "keys[0].bcrypt")


@pytest.mark.parametrize("count", [0, 101])
async def test_one_to_a_hundred_come_at_once(
    import_client: ImportClient, refused: Refused, count: int
) -> None:
    keys = [described(foreign_secret()) for _ in range(count)]
    assert (await refused(import_client.bring(*keys), *INVALID)).fields == ("keys",)


async def test_hmacs_need_their_key(import_client: ImportClient, refused: Refused) -> None:
    attempt = import_client.bring(described(foreign_secret(), "hmac_sha256"), hmac_key=None)
    assert (await refused(attempt, *INVALID)).fields == ("hmac_key",)


async def test_a_scope_that_does_not_exist_cannot_be_given(
    import_client: ImportClient, refused: Refused
) -> None:
    attempt = import_client.bring(described(foreign_secret(), scopes=["moon:write"]))
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "SCOPE_UNKNOWN")


async def test_an_organization_that_is_not_there_gets_none(
    import_client: ImportClient, refused: Refused
) -> None:
    nobodys = "01890a5d-ac96-774b-bcce-b302099a8057"
    attempt = import_client.bring(described(foreign_secret()), organization_id=nobodys)
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_only_administrators_of_the_platform_import(
    key_client: KeyClient, world: World, stranger: Person, refused: Refused
) -> None:
    key = await key_client.create("keys:write")
    request = pb.ImportApiKeysRequest(
        organization_id=key_client.organization_id, keys=[described(foreign_secret())]
    )
    for metadata in (
        key_client.owner.metadata,
        stranger.metadata,
        await world.key_metadata(key.secret),
    ):
        attempt = world.keys.ImportApiKeys(request, metadata=metadata)
        await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    unknown = world.keys.ImportApiKeys(request)
    await refused(unknown, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_revoked_keys_prefix_is_free_again(
    key_client: KeyClient, import_client: ImportClient
) -> None:
    secret = foreign_secret()
    await key_client.revoke(await import_client.bring_one(secret))
    again = await import_client.bring_one(secret)
    assert (await key_client.verify(secret)).api_key.id == again


async def test_short_prefixes_that_are_too_many_become_one_for_all(
    world: World, valkey_url: str
) -> None:
    async with Redis.from_url(valkey_url) as valkey:
        await valkey.delete(IMPORTED_PREFIXES)
        copy = ImportedPrefixesProjection(world.engine, valkey)
        await copy.add(f"{number:06}" for number in range(MAX_SHORT_PREFIXES))
        assert not await valkey.sismember(IMPORTED_PREFIXES, ANY_PREFIX)
        await copy.add(f"other{number}" for number in range(10))
        assert await valkey.sismember(IMPORTED_PREFIXES, ANY_PREFIX)
        assert await valkey.scard(IMPORTED_PREFIXES) == MAX_SHORT_PREFIXES + 1
        await copy.rebuild()
        assert await copy.is_complete()
        await valkey.delete(IMPORTED_PREFIXES)


async def test_the_edge_is_told_how_the_secrets_start(
    import_client: ImportClient, valkey_url: str
) -> None:
    async with Redis.from_url(valkey_url) as valkey, valkey.pubsub() as listener:
        await valkey.delete(IMPORTED_PREFIXES)
        await listener.subscribe(IMPORTED_PREFIXES_CHANNEL)
        secret = "zebra!" + foreign_secret()
        await import_client.bring_one(secret)
        assert b"zebra!" in await valkey.smembers(IMPORTED_PREFIXES)
        await listener.get_message(timeout=1)
        assert (await listener.get_message(timeout=1) or {})["type"] == "message"
