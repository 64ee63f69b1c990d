"""Leaving: every member may, whatever their role; the last owner who can act may not."""

from __future__ import annotations

import grpc
import pytest
from portico.organizations.v1 import organization_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users

from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.organizations.conftest import Team
from tests.core.records import event
from tests.core.world import Person, World

NOT_FOUND = grpc.StatusCode.NOT_FOUND
CONFLICT = grpc.StatusCode.FAILED_PRECONDITION


async def leave(team: Team, person: Person) -> pb.LeaveOrganizationResponse:
    request = pb.LeaveOrganizationRequest(organization_id=team.organization_id)
    return await team.world.organizations.LeaveOrganization(request, metadata=person.metadata)


async def suspend(world: World, administrator: Person, person: Person) -> None:
    request = users.UpdateUserRequest(user_id=person.id, status="suspended")
    await world.users.UpdateUser(request, metadata=administrator.metadata)


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
async def test_every_role_may_leave(
    team: Team, world: World, role: str, refused: Refused, audited: Audited
) -> None:
    person = await team.joined(role)
    await leave(team, person)
    assert await team.members(team.owner) == {team.owner.id: "owner"}
    told = await event(world, team.organization_id, "member.removed")
    assert (told.data["userId"], told.data["role"]) == (person.id, role)
    assert (await audited(person.id))[-1] == "member.removed"
    await refused(leave(team, person), NOT_FOUND, "NOT_FOUND")


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
async def test_every_role_may_remove_itself(team: Team, role: str) -> None:
    person = await team.joined(role)
    await team.remove(person, person)
    assert await team.members(team.owner) == {team.owner.id: "owner"}


async def test_who_may_remove_themselves_removes_nobody_else(
    team: Team, world: World, refused: Refused
) -> None:
    viewer, other = await team.joined("viewer"), await team.joined("viewer")
    denied = grpc.StatusCode.PERMISSION_DENIED
    await refused(team.remove(viewer, other), denied, "PERMISSION_DENIED")
    # A key is no person, and names itself in vain.
    key = await world.new_key(team.organization_id, team.owner)
    request = pb.RemoveMemberRequest(organization_id=team.organization_id, user_id=key.api_key.id)
    attempt = world.organizations.RemoveMember(
        request, metadata=await world.key_metadata(key.secret)
    )
    await refused(attempt, denied, "PERMISSION_DENIED")


async def test_who_is_no_member_has_nothing_to_leave(
    team: Team, stranger: Person, refused: Refused
) -> None:
    await refused(leave(team, stranger), NOT_FOUND, "NOT_FOUND")
    await refused(team.remove(stranger, stranger), NOT_FOUND, "NOT_FOUND")


async def test_an_api_key_does_not_leave(team: Team, world: World, refused: Refused) -> None:
    key = await world.new_key(team.organization_id, team.owner, "members:write")
    request = pb.LeaveOrganizationRequest(organization_id=team.organization_id)
    attempt = world.organizations.LeaveOrganization(
        request, metadata=await world.key_metadata(key.secret)
    )
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_the_last_owner_does_not_leave(team: Team, refused: Refused) -> None:
    await team.joined("admin")
    await refused(leave(team, team.owner), CONFLICT, "LAST_OWNER")


async def test_a_suspended_owner_does_not_count(
    team: Team, world: World, administrator: Person, refused: Refused
) -> None:
    second = await team.joined("owner")
    await suspend(world, administrator, second)
    await refused(leave(team, team.owner), CONFLICT, "LAST_OWNER")
    await refused(team.remove(team.owner, team.owner), CONFLICT, "LAST_OWNER")
    await refused(team.change_role(team.owner, team.owner, "viewer"), CONFLICT, "LAST_OWNER")
    delete = users.DeleteUserRequest(user_id=team.owner.id)
    attempt = world.users.DeleteUser(delete, metadata=administrator.metadata)
    await refused(attempt, CONFLICT, "USER_IS_LAST_OWNER")
    # The suspended one can go: somebody who can act stays.
    await team.remove(team.owner, second)


async def test_owners_who_leave_at_once_leave_one_behind(team: Team) -> None:
    owners = [team.owner, *[await team.joined("owner") for _ in range(3)]]
    answers, reasons = await race(*(leave(team, person) for person in owners))
    assert (len(answers), reasons) == (3, ["LAST_OWNER"])


async def test_who_was_demoted_while_they_waited_acts_with_what_is_left(team: Team) -> None:
    """Two admins who remove each other at once: one of them stays."""
    for _ in range(5):
        one, other = await team.joined("admin"), await team.joined("admin")
        answers, reasons = await race(team.remove(one, other), team.remove(other, one))
        assert (len(answers), reasons) == (1, ["NOT_FOUND"])
        (left,) = set(await team.members(team.owner)) - {team.owner.id}
        await team.remove(team.owner, one if left == one.id else other)
