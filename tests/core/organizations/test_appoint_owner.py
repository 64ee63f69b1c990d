"""An organization without an owner who can act gets one from the platform, in the open."""

from __future__ import annotations

import grpc
from portico.organizations.v1 import organization_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users

from tests.core.calls import race
from tests.core.conftest import Refused
from tests.core.organizations.conftest import Team
from tests.core.records import audit_entry, event
from tests.core.users.conftest import appoint as administer
from tests.core.users.conftest import unknown_id
from tests.core.world import Person, World

CONFLICT = grpc.StatusCode.FAILED_PRECONDITION
DENIED = grpc.StatusCode.PERMISSION_DENIED
NOT_FOUND = grpc.StatusCode.NOT_FOUND


async def appoint(team: Team, by: Person, user_id: str) -> pb.AppointOwnerResponse:
    request = pb.AppointOwnerRequest(organization_id=team.organization_id, user_id=user_id)
    return await team.world.organizations.AppointOwner(request, metadata=by.metadata)


async def suspend(team: Team, administrator: Person, *people: Person) -> None:
    for person in people:
        request = users.UpdateUserRequest(user_id=person.id, status="suspended")
        await team.world.users.UpdateUser(request, metadata=administrator.metadata)


async def test_a_member_becomes_the_owner_of_an_orphaned_organization(
    team: Team, world: World, administrator: Person
) -> None:
    admin, viewer = await team.joined("admin"), await team.joined("viewer")
    await suspend(team, administrator, team.owner)
    member = (await appoint(team, administrator, admin.id)).member
    assert (member.user_id, member.role) == (admin.id, "owner")
    assert await team.members(admin) == {
        team.owner.id: "owner",
        admin.id: "owner",
        viewer.id: "viewer",
    }
    told = await event(world, team.organization_id, "member.updated")
    assert (told.data["userId"], told.data["role"]) == (admin.id, "owner")
    entry = await audit_entry(world, team.organization_id, "member.updated")
    assert str(entry.actor_id) == administrator.id
    for informed in (team.owner, admin):
        assert (await world.mail(informed.email, "owner_appointed"))["owner_name"] == "Ada"
    assert await world.mails(viewer.email, "owner_appointed") == []


async def test_while_an_owner_can_act_nobody_is_appointed(
    team: Team, administrator: Person, refused: Refused
) -> None:
    admin, second = await team.joined("admin"), await team.joined("owner")
    attempt = appoint(team, administrator, admin.id)
    await refused(attempt, CONFLICT, "ORGANIZATION_HAS_OWNER")
    await suspend(team, administrator, second)
    attempt = appoint(team, administrator, admin.id)
    await refused(attempt, CONFLICT, "ORGANIZATION_HAS_OWNER")
    assert (await team.members(team.owner))[admin.id] == "admin"


async def test_an_outsider_only_where_no_member_can_act(
    team: Team, world: World, administrator: Person, stranger: Person, refused: Refused
) -> None:
    viewer = await team.joined("viewer")
    await suspend(team, administrator, team.owner)
    attempt = appoint(team, administrator, stranger.id)
    await refused(attempt, CONFLICT, "OWNER_NOT_MEMBER")
    await suspend(team, administrator, viewer)
    await appoint(team, administrator, stranger.id)
    assert (await team.members(stranger))[stranger.id] == "owner"
    assert await world.mails(stranger.email, "owner_appointed")


async def test_an_administrator_does_not_help_themselves_to_an_organization(
    team: Team, administrator: Person, refused: Refused
) -> None:
    await suspend(team, administrator, team.owner)
    attempt = appoint(team, administrator, administrator.id)
    await refused(attempt, DENIED, "SELF_APPOINTMENT")


async def test_only_administrators_of_the_platform_appoint(
    team: Team, administrator: Person, refused: Refused
) -> None:
    admin = await team.joined("admin")
    await suspend(team, administrator, team.owner)
    await refused(appoint(team, admin, admin.id), DENIED, "PERMISSION_DENIED")


async def test_who_cannot_act_is_no_owner_either(
    team: Team, administrator: Person, refused: Refused
) -> None:
    admin = await team.joined("admin")
    await suspend(team, administrator, team.owner, admin)
    attempt = appoint(team, administrator, admin.id)
    await refused(attempt, CONFLICT, "OWNER_SUSPENDED")
    await refused(appoint(team, administrator, unknown_id()), NOT_FOUND, "USER_NOT_FOUND")


async def test_an_organization_that_does_not_exist(
    world: World, owner: Person, administrator: Person, refused: Refused
) -> None:
    nowhere = Team(world, unknown_id(), owner)
    await refused(appoint(nowhere, administrator, owner.id), NOT_FOUND, "NOT_FOUND")


async def test_of_two_appointments_at_once_one_is_made(
    team: Team, world: World, administrator: Person
) -> None:
    second = await world.new_person()
    await administer(world, second)
    people = [await team.joined("admin"), await team.joined("admin")]
    await suspend(team, administrator, team.owner)
    answers, reasons = await race(
        appoint(team, administrator, people[0].id), appoint(team, second, people[1].id)
    )
    assert (len(answers), reasons) == (1, ["ORGANIZATION_HAS_OWNER"])


async def test_a_suspended_last_owner_can_be_deleted_once_there_is_a_new_one(
    team: Team, world: World, administrator: Person, refused: Refused
) -> None:
    admin = await team.joined("admin")
    await suspend(team, administrator, team.owner)
    delete = users.DeleteUserRequest(user_id=team.owner.id)
    attempt = world.users.DeleteUser(delete, metadata=administrator.metadata)
    await refused(attempt, CONFLICT, "USER_IS_LAST_OWNER")
    await appoint(team, administrator, admin.id)
    await world.users.DeleteUser(delete, metadata=administrator.metadata)
    assert await team.members(admin) == {admin.id: "owner"}


async def test_an_owner_who_comes_back_is_an_owner_still(
    team: Team, world: World, administrator: Person
) -> None:
    admin = await team.joined("admin")
    await suspend(team, administrator, team.owner)
    await appoint(team, administrator, admin.id)
    active = users.UpdateUserRequest(user_id=team.owner.id, status="active")
    await world.users.UpdateUser(active, metadata=administrator.metadata)
    back = await world.sign_in(team.owner.email)
    assert (await team.members(back))[team.owner.id] == "owner"
