"""Listing keys: an organization's own, newest first, without secrets."""

from __future__ import annotations

import grpc
import pytest
from portico.keys.v1 import api_key_service_pb2 as pb
from portico.organizations.v1.organization_service_pb2 import LeaveOrganizationRequest

from tests.core.calls import pages
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyRing
from tests.core.world import Person, World


async def listed(ring: KeyRing, limit: int = 20, cursor: str = "") -> pb.ListApiKeysResponse:
    request = pb.ListApiKeysRequest(
        organization_id=ring.organization_id, limit=limit, cursor=cursor
    )
    return await ring.world.keys.ListApiKeys(request, metadata=ring.owner.metadata)


async def test_pages_hold_every_key_once_newest_first(ring: KeyRing) -> None:
    made = [(await ring.create()).api_key.id for _ in range(5)]
    found = await pages(lambda cursor: listed(ring, 2, cursor))
    assert [len(page.api_keys) for page in found] == [2, 2, 1]
    assert [key.id for page in found for key in page.api_keys] == made[::-1]


async def test_a_key_that_is_made_meanwhile_disturbs_no_page(ring: KeyRing) -> None:
    made = [(await ring.create()).api_key.id for _ in range(4)]
    first = await listed(ring, 2)
    await ring.create()
    second = await listed(ring, 2, first.next_cursor)
    assert [key.id for key in (*first.api_keys, *second.api_keys)] == made[::-1]
    assert not second.has_more


async def test_revoked_keys_stay_in_the_list(ring: KeyRing) -> None:
    key = (await ring.create()).api_key
    await ring.create()
    await ring.revoke(key.id)
    assert [found.status for found in (await listed(ring)).api_keys] == ["active", "revoked"]


async def test_keys_of_other_organizations_are_not_listed(
    ring: KeyRing, world: World, stranger: Person
) -> None:
    await world.new_key(await world.new_organization(stranger), stranger)
    assert not (await listed(ring)).api_keys


@pytest.mark.parametrize("limit", [0, 101])
async def test_a_limit_out_of_bounds_is_named(ring: KeyRing, limit: int, refused: Refused) -> None:
    found = await refused(listed(ring, limit), grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("limit",)


async def test_a_cursor_belongs_to_its_list(ring: KeyRing, world: World, refused: Refused) -> None:
    for _ in range(2):
        await ring.create()
    cursor = (await listed(ring, 1)).next_cursor
    other = KeyRing(world, await world.new_organization(ring.owner), ring.owner)
    tampered = cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")
    for attempt in (listed(other, 1, cursor), listed(ring, 1, tampered), listed(ring, 1, "%%%")):
        found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
        assert found.fields == ("cursor",)


async def test_the_keys_that_one_person_created(ring: KeyRing) -> None:
    world, owner = ring.world, ring.owner
    member = await world.new_member(ring.organization_id, owner, "member")
    theirs = [(await ring.create(by=member)).api_key.id for _ in range(3)]
    await ring.create()
    request = pb.ListApiKeysRequest(
        organization_id=ring.organization_id, created_by=member.id, limit=2
    )
    first = await world.keys.ListApiKeys(request, metadata=owner.metadata)
    request.cursor = first.next_cursor
    second = await world.keys.ListApiKeys(request, metadata=owner.metadata)
    assert [key.id for key in (*first.api_keys, *second.api_keys)] == theirs[::-1]
    assert not second.has_more


async def test_who_has_left_is_still_found_by_their_keys(ring: KeyRing) -> None:
    world, owner = ring.world, ring.owner
    member = await world.new_member(ring.organization_id, owner, "member")
    key = (await ring.create(by=member)).api_key
    leave = LeaveOrganizationRequest(organization_id=ring.organization_id)
    await world.organizations.LeaveOrganization(leave, metadata=member.metadata)
    request = pb.ListApiKeysRequest(organization_id=ring.organization_id, created_by=member.id)
    found = await world.keys.ListApiKeys(request, metadata=owner.metadata)
    assert [one.id for one in found.api_keys] == [key.id]


async def test_a_cursor_belongs_to_one_creator(ring: KeyRing, refused: Refused) -> None:
    for _ in range(2):
        await ring.create()
    request = pb.ListApiKeysRequest(
        organization_id=ring.organization_id, created_by=ring.owner.id, limit=1
    )
    page = await ring.world.keys.ListApiKeys(request, metadata=ring.owner.metadata)
    attempt = listed(ring, 1, page.next_cursor)
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")


async def test_a_creator_that_is_no_id_is_named(ring: KeyRing, refused: Refused) -> None:
    for bad in ("", "nobody"):
        request = pb.ListApiKeysRequest(organization_id=ring.organization_id, created_by=bad)
        attempt = ring.world.keys.ListApiKeys(request, metadata=ring.owner.metadata)
        found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
        assert found.fields == ("created_by",)
