"""Changing roles: nobody grants or takes what they lack, and an owner always stays."""

from __future__ import annotations

import grpc
import pytest
from portico.organizations.v1 import organization_service_pb2 as pb

from server.app import ROLES
from tests.core.calls import if_match, race
from tests.core.conftest import Refused
from tests.core.organizations.conftest import Team
from tests.core.records import audit_entry, event, event_types
from tests.core.world import Person, World

DENIED = grpc.StatusCode.PERMISSION_DENIED


async def test_a_member_gets_another_role(team: Team, world: World) -> None:
    person = await team.joined("viewer")
    changed = (await team.change_role(team.owner, person, "admin")).member
    assert (changed.user_id, changed.email, changed.role) == (person.id, person.email, "admin")
    told = await event(world, team.organization_id, "member.updated")
    assert (told.data["userId"], told.data["role"]) == (person.id, "admin")


async def test_the_audit_log_names_both_without_the_address(team: Team, world: World) -> None:
    person = await team.joined("viewer")
    await team.change_role(team.owner, person, "member")
    entry = await audit_entry(world, team.organization_id, "member.updated")
    assert (str(entry.actor_id), str(entry.target_id)) == (team.owner.id, person.id)
    assert person.email not in str(entry.details)


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
async def test_an_admin_grants_at_most_what_they_have(
    team: Team, role: str, refused: Refused
) -> None:
    admin, person = await team.joined("admin"), await team.joined("viewer")
    change = team.change_role(admin, person, role)
    if role == "owner":
        await refused(change, DENIED, "ROLE_NOT_GRANTABLE")
    else:
        assert (await change).member.role == role


async def test_an_admin_does_not_make_themselves_an_owner(team: Team, refused: Refused) -> None:
    admin = await team.joined("admin")
    await refused(team.change_role(admin, admin, "owner"), DENIED, "ROLE_NOT_GRANTABLE")


async def test_an_admin_does_not_demote_an_owner(team: Team, refused: Refused) -> None:
    admin = await team.joined("admin")
    await team.joined("owner")
    found = await refused(
        team.change_role(admin, team.owner, "viewer"), DENIED, "ROLE_NOT_GRANTABLE"
    )
    assert found.metadata == {"role": "owner"}


async def test_an_api_key_grants_at_most_its_scopes(
    team: Team, world: World, refused: Refused
) -> None:
    person = await team.joined("viewer")
    key = await world.new_key(
        team.organization_id,
        team.owner,
        *("members:write", *ROLES["viewer"]),
    )
    metadata = await world.key_metadata(key.secret)
    request = pb.UpdateMemberRequest(
        organization_id=team.organization_id, user_id=person.id, role="member"
    )
    attempt = world.organizations.UpdateMember(request, metadata=metadata)
    await refused(attempt, DENIED, "ROLE_NOT_GRANTABLE")
    request.role = "viewer"
    await world.organizations.UpdateMember(request, metadata=metadata)


async def test_the_last_owner_stays_one(team: Team, refused: Refused) -> None:
    attempt = team.change_role(team.owner, team.owner, "admin")
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "LAST_OWNER")
    assert (await team.change_role(team.owner, team.owner, "owner")).member.role == "owner"


async def test_an_owner_may_step_back_when_another_stays(team: Team) -> None:
    second = await team.joined("owner")
    await team.change_role(team.owner, team.owner, "viewer")
    assert await team.members(second) == {team.owner.id: "viewer", second.id: "owner"}


async def test_owners_who_demote_each_other_at_once_leave_one(team: Team) -> None:
    for _ in range(5):
        second = await team.joined("owner")
        answers, reasons = await race(
            team.change_role(team.owner, second, "admin"),
            team.change_role(second, team.owner, "admin"),
        )
        # The second one in line is stopped, by whichever of the two rules it meets first.
        assert len(answers) == 1
        assert reasons[0] in {"LAST_OWNER", "PERMISSION_DENIED", "ROLE_NOT_GRANTABLE"}
        members = await team.members(second)
        owners = [person for person, role in members.items() if role == "owner"]
        assert len(owners) == 1
        if owners == [second.id]:
            await team.change_role(second, team.owner, "owner")
        await team.remove(team.owner, second)


async def test_owners_who_step_back_at_once_leave_one(team: Team) -> None:
    owners = [team.owner, await team.joined("owner"), await team.joined("owner")]
    answers, reasons = await race(
        *(team.change_role(person, person, "viewer") for person in owners)
    )
    assert (len(answers), reasons) == (2, ["LAST_OWNER"])
    roles = list((await team.members(team.owner)).values())
    assert sorted(roles) == ["owner", "viewer", "viewer"]


async def test_who_is_no_member_is_not_found(
    team: Team, stranger: Person, refused: Refused
) -> None:
    attempt = team.change_role(team.owner, stranger, "viewer")
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "MEMBER_NOT_FOUND")


async def test_an_unknown_role_is_named(team: Team, refused: Refused) -> None:
    attempt = team.change_role(team.owner, team.owner, "emperor")
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("role",)


async def test_a_version_that_is_no_longer_the_newest_is_refused(
    team: Team, world: World, refused: Refused
) -> None:
    person = await team.joined("viewer")
    await team.change_role(team.owner, person, "member")
    attempt = world.organizations.UpdateMember(
        pb.UpdateMemberRequest(
            organization_id=team.organization_id, user_id=person.id, role="admin"
        ),
        metadata=if_match(team.owner, '"1"'),
    )
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")


async def test_a_role_that_they_have_already_is_no_change(team: Team, world: World) -> None:
    member = await team.joined("member")
    await team.change_role(team.owner, member, "member")
    assert "member.updated" not in await event_types(world, team.organization_id)
