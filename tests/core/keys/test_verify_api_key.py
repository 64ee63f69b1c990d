"""Verifying a key for the edge: whose it is, what it may use, and for how long that holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import grpc
import jwt
import pytest
from portico.keys.v1 import api_key_service_pb2 as pb
from portico.keys.v1.api_key_pb2 import ApiKeyLimits
from portico.organizations.v1.organization_service_pb2 import GetOrganizationRequest

from portico_kit.tokens import new_api_key
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyClient
from tests.core.world import World

REFUSED = (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")


async def test_the_answer_says_whose_the_key_is(key_client: KeyClient) -> None:
    key = await key_client.create("keys:read", limits=ApiKeyLimits(per_minute=7))
    verified = await key_client.verify(key.secret)
    assert verified.api_key == key.api_key
    assert verified.tier == "free"
    claims = jwt.decode(verified.access_token, options={"verify_signature": False})
    assert (claims["sub"], claims["kind"]) == (key.api_key.id, "key")
    assert (claims["org"], claims["tier"]) == (key_client.organization_id, "free")
    # Envoy accepts tokens for "portico" from anyone; this one must not pass there.
    assert claims["aud"] == "portico-internal"
    # A token's seconds are whole ones: it never ends before what was stated.
    assert 0 <= claims["exp"] - verified.expires_at.ToNanoseconds() / 1e9 < 1


async def test_the_answer_holds_for_five_minutes(key_client: KeyClient) -> None:
    key = await key_client.create()
    before = datetime.now(UTC)
    lifetime = (await key_client.verify(key.secret)).expires_at.ToDatetime(tzinfo=UTC) - before
    assert abs(lifetime - timedelta(minutes=5)) < timedelta(seconds=5)


async def test_it_holds_no_longer_than_the_key(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = await key_client.create(expires_at=datetime.now(UTC) + timedelta(minutes=1))
    assert (await key_client.verify(key.secret)).expires_at == key.api_key.expires_at
    with world.clock.later(timedelta(minutes=1)):
        await refused(key_client.verify(key.secret), *REFUSED)


async def test_a_key_is_good_until_the_moment_that_was_stated_for_its_end(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    end = datetime.now(UTC).replace(microsecond=900_000) + timedelta(minutes=3)
    key = await key_client.create("organization:read", expires_at=end)
    request = GetOrganizationRequest(organization_id=key_client.organization_id)
    with world.clock.later(end - datetime.now(UTC) - timedelta(milliseconds=600)):
        metadata = await world.key_metadata(key.secret)
        await world.organizations.GetOrganization(request, metadata=metadata)
    with world.clock.later(end - datetime.now(UTC)):
        await refused(key_client.verify(key.secret), *REFUSED)
        call = world.organizations.GetOrganization(request, metadata=metadata)
        await refused(call, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


def swapped(secret: str) -> str:
    """With two neighbours in the wrong order, as people mistype."""
    for at in range(10, len(secret)):
        if secret[at] != secret[at - 1]:
            return secret[: at - 1] + secret[at] + secret[at - 1] + secret[at + 1 :]
    raise AssertionError(secret)


@pytest.mark.parametrize(
    "made_up",
    [
        pytest.param(lambda _: new_api_key("test"), id="well formed, but nobody's"),
        pytest.param(lambda secret: secret.replace("pk_test", "pk_live"), id="other environment"),
        pytest.param(swapped, id="mistyped"),
        pytest.param(lambda secret: secret[:-1], id="cut off"),
        pytest.param(lambda secret: secret + "0", id="too long"),
        pytest.param(lambda _: "pk_test_", id="empty"),
        pytest.param(lambda _: "nonsense", id="nonsense"),
    ],
)
async def test_whatever_is_wrong_with_a_secret_the_answer_is_the_same(
    key_client: KeyClient, made_up: Callable[[str], str], refused: Refused
) -> None:
    key = await key_client.create()
    found = await refused(key_client.verify(made_up(key.secret)), *REFUSED)
    assert found.metadata == {}


async def test_only_our_own_services_may_ask(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = await key_client.create()
    request = pb.VerifyApiKeyRequest(secret=key.secret)
    for metadata in (key_client.owner.metadata, await world.key_metadata(key.secret)):
        attempt = world.keys.VerifyApiKey(request, metadata=metadata)
        await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
