"""Listing keys: an organization's own, newest first, without secrets."""

from __future__ import annotations

import grpc
import pytest
from portico.keys.v1 import api_key_service_pb2 as pb
from portico.organizations.v1.organization_service_pb2 import LeaveOrganizationRequest

from tests.core.calls import pages
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyClient
from tests.core.world import Person, World


async def listed(
    key_client: KeyClient, limit: int = 20, cursor: str = ""
) -> pb.ListApiKeysResponse:
    request = pb.ListApiKeysRequest(
        organization_id=key_client.organization_id, limit=limit, cursor=cursor
    )
    return await key_client.world.keys.ListApiKeys(request, metadata=key_client.owner.metadata)


async def test_pages_hold_every_key_once_newest_first(key_client: KeyClient) -> None:
    made = [(await key_client.create()).api_key.id for _ in range(5)]
    found = await pages(lambda cursor: listed(key_client, 2, cursor))
    assert [len(page.api_keys) for page in found] == [2, 2, 1]
    assert [key.id for page in found for key in page.api_keys] == made[::-1]


async def test_a_key_that_is_made_meanwhile_disturbs_no_page(key_client: KeyClient) -> None:
    made = [(await key_client.create()).api_key.id for _ in range(4)]
    first = await listed(key_client, 2)
    await key_client.create()
    second = await listed(key_client, 2, first.next_cursor)
    assert [key.id for key in (*first.api_keys, *second.api_keys)] == made[::-1]
    assert not second.has_more


async def test_revoked_keys_stay_in_the_list(key_client: KeyClient) -> None:
    key = (await key_client.create()).api_key
    await key_client.create()
    await key_client.revoke(key.id)
    assert [found.status for found in (await listed(key_client)).api_keys] == ["active", "revoked"]


async def test_keys_of_other_organizations_are_not_listed(
    key_client: KeyClient, world: World, stranger: Person
) -> None:
    await world.new_key(await world.new_organization(stranger), stranger)
    assert not (await listed(key_client)).api_keys


@pytest.mark.parametrize("limit", [0, 101])
async def test_a_limit_out_of_bounds_is_named(
    key_client: KeyClient, limit: int, refused: Refused
) -> None:
    found = await refused(
        listed(key_client, limit), grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR"
    )
    assert found.fields == ("limit",)


async def test_a_cursor_belongs_to_its_list(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    for _ in range(2):
        await key_client.create()
    cursor = (await listed(key_client, 1)).next_cursor
    other = KeyClient(world, await world.new_organization(key_client.owner), key_client.owner)
    tampered = cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")
    for attempt in (
        listed(other, 1, cursor),
        listed(key_client, 1, tampered),
        listed(key_client, 1, "%%%"),
    ):
        found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
        assert found.fields == ("cursor",)


async def test_the_keys_that_one_person_created(key_client: KeyClient) -> None:
    world, owner = key_client.world, key_client.owner
    member = await world.new_member(key_client.organization_id, owner, "member")
    theirs = [(await key_client.create(by=member)).api_key.id for _ in range(3)]
    await key_client.create()
    request = pb.ListApiKeysRequest(
        organization_id=key_client.organization_id, created_by=member.id, limit=2
    )
    first = await world.keys.ListApiKeys(request, metadata=owner.metadata)
    request.cursor = first.next_cursor
    second = await world.keys.ListApiKeys(request, metadata=owner.metadata)
    assert [key.id for key in (*first.api_keys, *second.api_keys)] == theirs[::-1]
    assert not second.has_more


async def test_who_has_left_is_still_found_by_their_keys(key_client: KeyClient) -> None:
    world, owner = key_client.world, key_client.owner
    member = await world.new_member(key_client.organization_id, owner, "member")
    key = (await key_client.create(by=member)).api_key
    leave = LeaveOrganizationRequest(organization_id=key_client.organization_id)
    await world.organizations.LeaveOrganization(leave, metadata=member.metadata)
    request = pb.ListApiKeysRequest(
        organization_id=key_client.organization_id, created_by=member.id
    )
    found = await world.keys.ListApiKeys(request, metadata=owner.metadata)
    assert [one.id for one in found.api_keys] == [key.id]


async def test_a_cursor_belongs_to_one_creator(key_client: KeyClient, refused: Refused) -> None:
    for _ in range(2):
        await key_client.create()
    request = pb.ListApiKeysRequest(
        organization_id=key_client.organization_id, created_by=key_client.owner.id, limit=1
    )
    page = await key_client.world.keys.ListApiKeys(request, metadata=key_client.owner.metadata)
    attempt = listed(key_client, 1, page.next_cursor)
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")


async def test_a_creator_that_is_no_id_is_named(key_client: KeyClient, refused: Refused) -> None:
    for bad in ("", "nobody"):
        request = pb.ListApiKeysRequest(organization_id=key_client.organization_id, created_by=bad)
        attempt = key_client.world.keys.ListApiKeys(request, metadata=key_client.owner.metadata)
        found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
        assert found.fields == ("created_by",)
