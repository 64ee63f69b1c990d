"""Where a key may be used from: networks as people write them, held against each call."""

from __future__ import annotations

import grpc
import pytest
from portico.organizations.v1.organization_service_pb2 import GetOrganizationRequest

from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyClient
from tests.core.world import World

LOOPBACK = ["127.0.0.0/8", "::1/128"]
ELSEWHERE = ["192.0.2.0/24", "2001:db8::/32"]
INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
NOT_ALLOWED = (grpc.StatusCode.PERMISSION_DENIED, "ADDRESS_NOT_ALLOWED")


async def test_a_key_may_be_used_from_anywhere_unless_it_is_said(key_client: KeyClient) -> None:
    assert list((await key_client.create()).api_key.allowed_cidrs) == []


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["192.0.2.0/24"], ["192.0.2.0/24"]),
        (["2001:0DB8:0000::/32"], ["2001:db8::/32"]),
        (["::ffff:192.0.2.0/120"], ["192.0.2.0/24"]),
        (["10.0.0.0/8", "2001:db8::/32", "2001:DB8::/32"], ["10.0.0.0/8", "2001:db8::/32"]),
        (["0.0.0.0/0", "::/0"], ["0.0.0.0/0", "::/0"]),
    ],
    ids=lambda value: " ".join(value),
)
async def test_networks_are_kept_in_their_one_spelling(
    key_client: KeyClient, given: list[str], shown: list[str]
) -> None:
    key = (await key_client.create(allowed_cidrs=given)).api_key
    assert list(key.allowed_cidrs) == shown
    assert list((await key_client.get(key.id)).api_key.allowed_cidrs) == shown


@pytest.mark.parametrize(
    "wrong", ["192.0.2.1", "192.0.2.1/24", "192.0.2.0/33", "2001:db8::/129", "office", ""]
)
async def test_what_is_no_network_is_refused(
    key_client: KeyClient, refused: Refused, wrong: str
) -> None:
    found = await refused(key_client.create(allowed_cidrs=[wrong]), *INVALID)
    assert found.fields == ("allowed_cidrs[0]",)


async def test_more_than_fifty_networks_are_refused(
    key_client: KeyClient, refused: Refused
) -> None:
    networks = [f"10.0.{number}.0/24" for number in range(51)]
    found = await refused(key_client.create(allowed_cidrs=networks), *INVALID)
    assert found.fields == ("allowed_cidrs",)


async def test_new_networks_replace_the_old_ones_and_none_leaves_them(
    key_client: KeyClient,
) -> None:
    key = (await key_client.create(allowed_cidrs=LOOPBACK)).api_key
    renamed = (await key_client.update(key.id, name="Renamed")).api_key
    assert list(renamed.allowed_cidrs) == LOOPBACK
    moved = (await key_client.update(key.id, allowed_cidrs=ELSEWHERE)).api_key
    assert list(moved.allowed_cidrs) == ELSEWHERE


async def test_a_direct_caller_is_held_against_the_list_at_the_next_call(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = await key_client.create(allowed_cidrs=LOOPBACK)
    metadata = await world.key_metadata(key.secret)
    request = GetOrganizationRequest(organization_id=key_client.organization_id)
    await world.organizations.GetOrganization(request, metadata=metadata)
    await key_client.update(key.api_key.id, allowed_cidrs=ELSEWHERE)
    attempt = world.organizations.GetOrganization(request, metadata=metadata)
    await refused(attempt, *NOT_ALLOWED)


async def test_a_direct_caller_cannot_claim_another_address(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    key = await key_client.create(allowed_cidrs=ELSEWHERE)
    claims = tuple((name, "192.0.2.1") for name in ("x-edge-address", "x-forwarded-for"))
    attempt = world.organizations.GetOrganization(
        GetOrganizationRequest(organization_id=key_client.organization_id),
        metadata=(*await world.key_metadata(key.secret), *claims),
    )
    await refused(attempt, *NOT_ALLOWED)
