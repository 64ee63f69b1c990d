"""What a person leaves behind: their invitations end with their right, their keys are named."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.organizations.v1 import organization_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import text

from portico_kit.clock import timestamp
from server.app import ROLES
from server.features.organizations.offboarding import KEYS_NAMED
from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.organizations.conftest import Team
from tests.core.records import audit_entry, event_types, events
from tests.core.world import Person, World

CONFLICT = grpc.StatusCode.FAILED_PRECONDITION
GONE = "INVITATION_REVOKED"


async def token_of(team: Team, by: Person, guest: Person, role: str = "admin") -> str:
    """Somebody invites somebody, who gets the mail."""
    await team.invite(guest.email, role, by=by)
    return (await team.world.mail(guest.email, "invitation"))["token"]


async def pending(team: Team) -> int:
    """How many invitations of the team can be accepted."""
    return (await team.statuses()).count("pending")


async def test_an_accomplice_of_a_removed_admin_stays_outside(
    team: Team, stranger: Person, refused: Refused, audited: Audited
) -> None:
    admin = await team.joined("admin")
    token = await token_of(team, admin, stranger)
    await team.remove(team.owner, admin)
    await refused(team.accept(stranger, token), CONFLICT, GONE)
    assert await pending(team) == 0
    assert await team.members(team.owner) == {team.owner.id: "owner"}
    told = await events(team.world, team.organization_id)
    (revoked,) = [one for one in told if one.type == "invitation.revoked"]
    assert revoked.data["status"] == "revoked"
    assert await audited(revoked.data["id"]) == ["invitation.created", "invitation.revoked"]


async def test_the_invitations_of_others_stay(team: Team, world: World, stranger: Person) -> None:
    admin, other = await team.joined("admin"), await team.joined("admin")
    guest = await world.new_person()
    await token_of(team, admin, stranger)
    token = await token_of(team, other, guest)
    await team.remove(team.owner, admin)
    assert (await team.accept(guest, token)).organization.role == "admin"


async def test_an_admin_who_leaves_takes_their_invitations_along(
    team: Team, stranger: Person, refused: Refused
) -> None:
    admin = await team.joined("admin")
    token = await token_of(team, admin, stranger, "viewer")
    request = pb.LeaveOrganizationRequest(organization_id=team.organization_id)
    await team.world.organizations.LeaveOrganization(request, metadata=admin.metadata)
    await refused(team.accept(stranger, token), CONFLICT, GONE)


async def test_a_demotion_revokes_what_could_not_be_granted_any_more(
    team: Team, world: World, stranger: Person, refused: Refused
) -> None:
    second = await team.joined("owner")
    guest = await world.new_person()
    to_owner = await token_of(team, second, stranger, "owner")
    to_admin = await token_of(team, second, guest, "admin")
    await team.change_role(team.owner, second, "admin")
    await refused(team.accept(stranger, to_owner), CONFLICT, GONE)
    await team.accept(guest, to_admin)


async def test_who_may_invite_no_longer_has_no_invitations(
    team: Team, stranger: Person, refused: Refused
) -> None:
    admin = await team.joined("admin")
    token = await token_of(team, admin, stranger, "viewer")
    await team.change_role(team.owner, admin, "member")
    await refused(team.accept(stranger, token), CONFLICT, GONE)
    await team.change_role(team.owner, admin, "admin")
    await refused(team.accept(stranger, token), CONFLICT, GONE)


async def test_a_right_that_was_lost_behind_our_back_counts_at_acceptance(
    team: Team, world: World, stranger: Person, refused: Refused
) -> None:
    admin = await team.joined("admin")
    token = await token_of(team, admin, stranger)
    async with world.engine.begin() as connection:
        await connection.execute(
            text("delete from memberships where user_id = :id"), {"id": admin.id}
        )
    assert await pending(team) == 1
    await refused(team.accept(stranger, token), CONFLICT, GONE)
    assert await team.statuses() == ["revoked", "accepted"]
    await refused(team.accept(stranger, token), CONFLICT, GONE)
    assert (await event_types(world, team.organization_id)).count("invitation.revoked") == 1


async def test_of_an_acceptance_and_a_removal_at_once_one_comes_first(
    team: Team, world: World
) -> None:
    """Either the guest is a member, or the invitation is revoked; never a third."""
    for _ in range(6):
        admin, guest = await team.joined("admin"), await world.new_person()
        token = await token_of(team, admin, guest)
        _, reasons = await race(team.accept(guest, token), team.remove(team.owner, admin))
        assert reasons in ([], [GONE])
        assert (guest.id in await team.members(team.owner)) == (not reasons)
        assert await pending(team) == 0


async def test_of_an_acceptance_and_a_suspension_at_once_nobody_fails(
    team: Team, world: World, administrator: Person
) -> None:
    for _ in range(4):
        admin, guest = await team.joined("admin"), await world.new_person()
        token = await token_of(team, admin, guest)
        suspend = users.UpdateUserRequest(user_id=admin.id, status="suspended")
        _, reasons = await race(
            team.accept(guest, token),
            world.users.UpdateUser(suspend, metadata=administrator.metadata),
        )
        assert reasons in ([], [GONE])
        assert (guest.id in await team.members(team.owner)) == (not reasons)


async def test_a_suspended_persons_invitations_are_revoked_everywhere(
    team: Team, world: World, administrator: Person, stranger: Person, refused: Refused
) -> None:
    admin = await team.joined("admin")
    elsewhere = Team(world, await world.new_organization(admin), admin)
    here, there = await token_of(team, admin, stranger), await elsewhere.invited(stranger)
    request = users.UpdateUserRequest(user_id=admin.id, status="suspended")
    await world.users.UpdateUser(request, metadata=administrator.metadata)
    for token in (here, there):
        await refused(team.accept(stranger, token), CONFLICT, GONE)
    for organization_id in (team.organization_id, elsewhere.organization_id):
        assert "invitation.revoked" in await event_types(world, organization_id)
    assert (await team.members(team.owner))[admin.id] == "admin"


async def test_deleting_an_account_tells_each_organization_what_removing_would_have(
    team: Team, world: World, administrator: Person, stranger: Person, refused: Refused
) -> None:
    second_owner = await world.new_person()
    second = Team(world, await world.new_organization(second_owner), second_owner)
    person = await team.joined("admin")
    await second.accept(person, await second.invited(person, "member"))
    key = await world.new_key(team.organization_id, person)
    token = await token_of(team, person, stranger)
    await world.users.DeleteUser(
        users.DeleteUserRequest(user_id=person.id), metadata=administrator.metadata
    )
    for one, role in ((team, "admin"), (second, "member")):
        told = await events(world, one.organization_id)
        (removed,) = [each for each in told if each.type == "member.removed"]
        assert (removed.data["userId"], removed.data["role"]) == (person.id, role)
        assert removed.data["email"] == person.email
        entry = await audit_entry(world, one.organization_id, "member.removed")
        assert str(entry.actor_id) == administrator.id
        assert person.email not in str(entry.details)
    assert "invitation.revoked" in await event_types(world, team.organization_id)
    assert (await audit_entry(world, team.organization_id, "member.removed")).details[
        "apiKeyIds"
    ] == [key.api_key.id]
    await refused(team.accept(stranger, token), CONFLICT, GONE)


async def test_of_a_deletion_and_another_change_at_once_neither_fails(
    team: Team, world: World, administrator: Person
) -> None:
    for _ in range(5):
        admin, guest = await team.joined("admin"), await world.new_person()
        token = await token_of(team, admin, guest)
        delete = users.DeleteUserRequest(user_id=admin.id)
        _, reasons = await race(
            world.users.DeleteUser(delete, metadata=administrator.metadata),
            team.change_role(team.owner, admin, "viewer"),
            team.accept(guest, token),
        )
        assert set(reasons) <= {GONE, "MEMBER_NOT_FOUND"}
        members = await team.members(team.owner)
        assert admin.id not in members
        assert (guest.id in members) == (GONE not in reasons)


async def inviting_key(team: Team, role: str) -> keys.CreateApiKeyResponse:
    """A key that may invite to a role and no more."""
    scopes = ROLES[role] | {"members:write"}
    return await team.world.new_key(team.organization_id, team.owner, *sorted(scopes))


async def invited_by_key(team: Team, secret: str, guest: Person, role: str) -> str:
    """The token of an invitation that a key sends."""
    request = pb.CreateInvitationRequest(
        organization_id=team.organization_id, email=guest.email, role=role
    )
    metadata = await team.world.key_metadata(secret)
    made = await team.world.organizations.CreateInvitation(request, metadata=metadata)
    assert made.invitation.invited_by == ""
    assert made.invitation.invited_by_api_key != ""
    return (await team.world.mail(guest.email, "invitation"))["token"]


async def test_a_key_that_still_may_invites(team: Team, stranger: Person) -> None:
    key = await inviting_key(team, "viewer")
    token = await invited_by_key(team, key.secret, stranger, "viewer")
    assert (await team.accept(stranger, token)).organization.role == "viewer"


async def test_a_revoked_key_has_no_invitations(
    team: Team, stranger: Person, refused: Refused
) -> None:
    key = await inviting_key(team, "viewer")
    token = await invited_by_key(team, key.secret, stranger, "viewer")
    revoke = keys.RevokeApiKeyRequest(api_key_id=key.api_key.id)
    await team.world.keys.RevokeApiKey(revoke, metadata=team.owner.metadata)
    assert await pending(team) == 0
    assert "invitation.revoked" in await event_types(team.world, team.organization_id)
    await refused(team.accept(stranger, token), CONFLICT, GONE)


async def test_a_key_that_lost_a_scope_has_no_invitations_that_need_it(
    team: Team, stranger: Person, refused: Refused
) -> None:
    key = await inviting_key(team, "member")
    token = await invited_by_key(team, key.secret, stranger, "member")
    fewer = sorted(set(key.api_key.scopes) - {"keys:write"})
    narrow = keys.UpdateApiKeyRequest(api_key_id=key.api_key.id, scopes=fewer)
    await team.world.keys.UpdateApiKey(narrow, metadata=team.owner.metadata)
    assert await pending(team) == 0
    await refused(team.accept(stranger, token), CONFLICT, GONE)


async def test_an_expired_key_has_no_invitations(
    team: Team, world: World, stranger: Person, refused: Refused
) -> None:
    key = await inviting_key(team, "viewer")
    token = await invited_by_key(team, key.secret, stranger, "viewer")
    soon = timestamp(world.clock() + timedelta(hours=1))
    until = keys.UpdateApiKeyRequest(api_key_id=key.api_key.id, expires_at=soon)
    await world.keys.UpdateApiKey(until, metadata=team.owner.metadata)
    with world.clock.later(timedelta(hours=2)):
        late = await world.sign_in(stranger.email)
        await refused(team.accept(late, token), CONFLICT, GONE)


async def test_an_invitation_of_an_unknown_key_is_good_for_nothing(
    team: Team, world: World, stranger: Person, refused: Refused
) -> None:
    """From before it was kept which key invited."""
    key = await inviting_key(team, "viewer")
    token = await invited_by_key(team, key.secret, stranger, "viewer")
    async with world.engine.begin() as connection:
        await connection.execute(
            text("update invitations set invited_by_api_key = null where email = :email"),
            {"email": stranger.email},
        )
    await refused(team.accept(stranger, token), CONFLICT, GONE)


async def test_who_removes_a_member_gets_the_keys_that_they_created(
    team: Team, world: World
) -> None:
    person = await team.joined("member")
    made = [(await world.new_key(team.organization_id, person)).api_key.id for _ in range(3)]
    await world.new_key(team.organization_id, team.owner)
    revoke = keys.RevokeApiKeyRequest(api_key_id=made[0])
    await world.keys.RevokeApiKey(revoke, metadata=team.owner.metadata)
    answer = await team.remove(team.owner, person)
    assert (list(answer.api_key_ids), answer.has_more_api_keys) == ([made[2], made[1]], False)
    entry = await audit_entry(world, team.organization_id, "member.removed")
    assert entry.details["apiKeyIds"] == [made[2], made[1]]
    get = keys.GetApiKeyRequest(api_key_id=made[1])
    left = await world.keys.GetApiKey(get, metadata=team.owner.metadata)
    assert (left.api_key.status, left.api_key.created_by) == ("active", person.id)


async def test_of_very_many_keys_the_newest_are_named(team: Team, world: World) -> None:
    person = await team.joined("member")
    made = []
    for _ in range(0, KEYS_NAMED + 1, 20):
        new = [world.new_key(team.organization_id, person) for _ in range(20)]
        made += [answer.api_key.id for answer in await asyncio.gather(*new)]
    answer = await team.remove(team.owner, person)
    assert list(answer.api_key_ids) == sorted(made, reverse=True)[:KEYS_NAMED]
    assert answer.has_more_api_keys
