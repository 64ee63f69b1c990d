"""Listing organizations: the caller's own, with their role in each."""

from __future__ import annotations

import grpc
from portico.organizations.v1 import organization_service_pb2 as pb

from tests.core.calls import pages
from tests.core.conftest import Refused
from tests.core.world import Person, World


async def listed(
    world: World, person: Person, limit: int = 20, cursor: str = ""
) -> pb.ListOrganizationsResponse:
    request = pb.ListOrganizationsRequest(limit=limit, cursor=cursor)
    return await world.organizations.ListOrganizations(request, metadata=person.metadata)


async def test_only_the_callers_own_are_listed_newest_first_with_the_role(
    world: World, owner: Person, stranger: Person
) -> None:
    own = await world.new_organization(owner)
    theirs = await world.new_organization(stranger)
    guest = await world.new_member(own, owner, "viewer")
    answer = await listed(world, owner)
    assert [(found.id, found.role) for found in answer.organizations] == [(own, "owner")]
    later = await world.new_organization(guest)
    answer = await listed(world, guest)
    roles = [(found.id, found.role) for found in answer.organizations]
    assert roles == [(later, "owner"), (own, "viewer")]
    assert theirs not in {identity for identity, _ in roles}


async def test_who_belongs_to_none_gets_an_empty_list(world: World, owner: Person) -> None:
    answer = await listed(world, owner)
    assert (list(answer.organizations), answer.next_cursor, answer.has_more) == ([], "", False)


async def test_pages_hold_every_organization_once(world: World, owner: Person) -> None:
    made = [await world.new_organization(owner) for _ in range(5)]
    found = await pages(lambda cursor: listed(world, owner, 2, cursor))
    assert [len(page.organizations) for page in found] == [2, 2, 1]
    assert [one.id for page in found for one in page.organizations] == made[::-1]


async def test_a_deleted_organization_is_not_listed(
    world: World, owner: Person, organization_id: str
) -> None:
    await world.organizations.DeleteOrganization(
        pb.DeleteOrganizationRequest(organization_id=organization_id), metadata=owner.metadata
    )
    assert not (await listed(world, owner)).organizations


async def test_the_cursor_of_another_person_is_refused(
    world: World, owner: Person, stranger: Person, refused: Refused
) -> None:
    for _ in range(2):
        await world.new_organization(owner)
    cursor = (await listed(world, owner, 1)).next_cursor
    attempt = listed(world, stranger, 1, cursor)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("cursor",)
