"""Removing members: at once, never an owner by an admin, never the last owner."""

from __future__ import annotations

import grpc
from portico.organizations.v1 import organization_service_pb2 as pb

from tests.core.calls import race
from tests.core.conftest import Refused
from tests.core.organizations.conftest import Team
from tests.core.records import event
from tests.core.world import Person, World


async def test_the_organization_no_longer_exists_for_whom_was_removed(
    team: Team, world: World, refused: Refused
) -> None:
    person = await team.joined("admin")
    await team.remove(team.owner, person)
    attempt = world.organizations.GetOrganization(
        pb.GetOrganizationRequest(organization_id=team.organization_id), metadata=person.metadata
    )
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert await team.members(team.owner) == {team.owner.id: "owner"}
    told = await event(world, team.organization_id, "member.removed")
    assert told.data["userId"] == person.id


async def test_whom_was_removed_can_come_back(team: Team) -> None:
    person = await team.joined("admin")
    await team.remove(team.owner, person)
    answer = await team.accept(person, await team.invited(person, "viewer"))
    assert answer.organization.role == "viewer"


async def test_an_admin_may_leave(team: Team) -> None:
    admin = await team.joined("admin")
    await team.remove(admin, admin)
    assert await team.members(team.owner) == {team.owner.id: "owner"}


async def test_an_admin_does_not_remove_an_owner(team: Team, refused: Refused) -> None:
    admin = await team.joined("admin")
    await team.joined("owner")
    attempt = team.remove(admin, team.owner)
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_GRANTABLE")


async def test_the_last_owner_stays(team: Team, refused: Refused) -> None:
    await team.joined("admin")
    attempt = team.remove(team.owner, team.owner)
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "LAST_OWNER")


async def test_owners_who_leave_at_once_leave_one_behind(team: Team) -> None:
    owners = [team.owner, *[await team.joined("owner") for _ in range(3)]]
    answers, reasons = await race(*(team.remove(person, person) for person in owners))
    assert (len(answers), reasons) == (3, ["LAST_OWNER"])


async def test_who_was_removed_already_is_not_found(
    team: Team, stranger: Person, refused: Refused
) -> None:
    person = await team.joined("viewer")
    await team.remove(team.owner, person)
    for gone in (person, stranger):
        attempt = team.remove(team.owner, gone)
        await refused(attempt, grpc.StatusCode.NOT_FOUND, "MEMBER_NOT_FOUND")
