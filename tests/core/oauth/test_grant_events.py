"""`grant.revoked` is sent however a grant ends that belongs to an organization."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import grpc
import pytest
from portico.oauth.v1 import grant_service_pb2 as grants
from portico.oauth.v1.grant_service_pb2_grpc import GrantServiceStub
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.users.v1 import user_service_pb2 as users

from server.app import ROLES
from tests.core.applications.conftest import ApplicationClient
from tests.core.conftest import Refused
from tests.core.oauth.conftest import App, list_grants, new_app, revoke_grant
from tests.core.records import audit_entry, event
from tests.core.world import Person, World, bearer

OFFLINE = "openid projects:read offline_access"
End = Callable[[], Awaitable[object]]


@pytest.fixture
async def member(world: World, owner: Person, organization_id: str) -> Person:
    """Somebody who has let the application in, and can go."""
    return await world.new_member(organization_id, owner, "member")


@pytest.mark.parametrize("how", ["revoked", "removed", "left", "deleted", "application"])
async def test_each_end_of_a_grant_is_an_event_of_its_organization(
    world: World,
    owner: Person,
    member: Person,
    organization_id: str,
    app: App,
    application_client: ApplicationClient,
    how: str,
) -> None:
    await app.signed_in(member, scope=OFFLINE)
    [grant] = await list_grants(world, member)
    of_member = {"organization_id": organization_id, "user_id": member.id}
    ends: dict[str, End] = {
        "revoked": lambda: revoke_grant(world, member, grant.id),
        "removed": lambda: world.organizations.RemoveMember(
            organizations.RemoveMemberRequest(**of_member), metadata=owner.metadata
        ),
        "left": lambda: world.organizations.LeaveOrganization(
            organizations.LeaveOrganizationRequest(organization_id=organization_id),
            metadata=member.metadata,
        ),
        "deleted": lambda: world.users.DeleteMe(
            users.DeleteMeRequest(current_password=member.password), metadata=member.metadata
        ),
        "application": lambda: application_client.delete(app.client_id),
    }
    await ends[how]()
    sent = (await event(world, organization_id, "grant.revoked")).data
    assert (sent["id"], sent["userId"], sent["clientId"]) == (grant.id, member.id, app.client_id)
    assert (sent["organizationId"], sent["applicationName"]) == (organization_id, "an application")
    entry = await audit_entry(world, organization_id, "grant.revoked")
    assert str(entry.target_id) == grant.id


async def test_an_application_that_is_deleted_ends_in_the_organizations_of_others(
    world: World, app: App, application_client: ApplicationClient
) -> None:
    """Of those who own the application they learn nothing."""
    guest = await world.new_person()
    theirs = await world.new_organization(guest)
    await app.signed_in(guest, scope=OFFLINE)
    await application_client.delete(app.client_id)
    assert (await event(world, theirs, "grant.revoked")).data["userId"] == guest.id
    entry = await audit_entry(world, theirs, "grant.revoked")
    assert (entry.actor_kind, str(entry.actor_id)) == ("application", app.client_id)


async def test_the_use_of_an_application_that_is_disabled_is_shown(
    world: World, owner: Person, app: App, application_client: ApplicationClient
) -> None:
    await app.signed_in(owner)
    await application_client.update(app.client_id, enabled=False)
    answer = await GrantServiceStub(world.channel).GetApplicationUsage(
        grants.GetApplicationUsageRequest(application_id=app.client_id), metadata=owner.metadata
    )
    assert (answer.usage.people, answer.usage.grants) == (1, 1)


async def test_an_application_invites_nobody(
    world: World,
    application_client: ApplicationClient,
    organization_id: str,
    stranger: Person,
    refused: Refused,
) -> None:
    """Nobody's right could be asked for when the invitation is accepted."""
    scopes = sorted(ROLES["viewer"] | {"members:write"})
    machine = await new_app(application_client, "machine", scopes=scopes)
    token = (await machine.issue("client_credentials")).access_token
    attempt = world.organizations.CreateInvitation(
        organizations.CreateInvitationRequest(
            organization_id=organization_id, email=stranger.email, role="viewer"
        ),
        metadata=bearer(token),
    )
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
