"""Listing members: by name, in the order in which they joined."""

from __future__ import annotations

import grpc
from portico.organizations.v1 import organization_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import text

from tests.core.calls import pages
from tests.core.conftest import Refused
from tests.core.organizations.conftest import Team
from tests.core.world import Person, World


async def listed(team: Team, limit: int = 20, cursor: str = "") -> pb.ListMembersResponse:
    request = pb.ListMembersRequest(
        organization_id=team.organization_id, limit=limit, cursor=cursor
    )
    return await team.world.organizations.ListMembers(request, metadata=team.owner.metadata)


async def test_members_are_shown_with_name_address_and_role(team: Team) -> None:
    viewer = await team.joined("viewer")
    founder, joined = (await listed(team)).members
    assert (founder.user_id, founder.role) == (team.owner.id, "owner")
    assert (joined.user_id, joined.email, joined.display_name, joined.role) == (
        viewer.id,
        viewer.email,
        "Ada",
        "viewer",
    )
    assert founder.joined_at.ToDatetime() < joined.joined_at.ToDatetime()


async def test_pages_hold_every_member_once_in_the_order_of_joining(team: Team) -> None:
    joined = [team.owner, *[await team.joined("viewer") for _ in range(4)]]
    found = await pages(lambda cursor: listed(team, 2, cursor))
    assert [len(page.members) for page in found] == [2, 2, 1]
    assert [one.user_id for page in found for one in page.members] == [one.id for one in joined]


async def test_whoever_has_no_account_any_more_is_no_member(
    team: Team, world: World, stranger: Person
) -> None:
    leaver = await team.joined("admin")
    await administer(world, stranger)
    await world.users.DeleteUser(
        users.DeleteUserRequest(user_id=leaver.id), metadata=stranger.metadata
    )
    assert await team.members(team.owner) == {team.owner.id: "owner"}


async def test_the_last_owner_of_an_organization_keeps_their_account(
    team: Team, world: World, stranger: Person, refused: Refused
) -> None:
    await administer(world, stranger)
    delete = users.DeleteUserRequest(user_id=team.owner.id)
    attempt = world.users.DeleteUser(delete, metadata=stranger.metadata)
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "USER_IS_LAST_OWNER")
    second = await team.joined("owner")
    await world.users.DeleteUser(delete, metadata=stranger.metadata)
    assert await team.members(second) == {second.id: "owner"}


async def administer(world: World, person: Person) -> None:
    """Makes somebody an administrator of the platform; the first one has no door to go through."""
    async with world.engine.begin() as connection:
        await connection.execute(
            text("update users set role = 'administrator' where id = :id"), {"id": person.id}
        )


async def test_the_cursor_of_another_organization_is_refused(
    team: Team, world: World, refused: Refused
) -> None:
    await team.joined("viewer")
    cursor = (await listed(team, 1)).next_cursor
    other = Team(world, await world.new_organization(team.owner), team.owner)
    attempt = listed(other, 1, cursor)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("cursor",)
