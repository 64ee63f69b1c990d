"""What ends with what: at the next call, whatever the token says of its time.

| what happens | tokens of the session | tokens with offline_access | consent |
|---|---|---|---|
| the person signs out, or the session is ended | end | go on | stays |
| the password is changed by who knows it | end with their sessions | go on | stays |
| the password is reset by mail | end | end | stays |
| the account is suspended | end | end | stays |
| the account is deleted | end | end | goes |
| the person is removed from the organization | end | end | goes |
| the organization is deleted | end | end | goes |
| the grant is revoked | end | end | goes |
| the application is disabled | not accepted until it is enabled | the same | stays |
| the application is deleted | end | end | goes |
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.oauth.v1 import grant_service_pb2 as grants
from portico.oauth.v1.grant_service_pb2_grpc import GrantServiceStub
from portico.oauth.v1.token_service_pb2 import IssueTokenResponse
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.oauth import cleanup
from tests.core.applications.conftest import ApplicationClient
from tests.core.conftest import Audited, Refused
from tests.core.oauth.conftest import (
    App,
    get_organization,
    list_grants,
    new_app,
    revoke_grant,
)
from tests.core.users.conftest import administrator as administrator
from tests.core.world import Person, World, bearer

INVALID = grpc.StatusCode.INVALID_ARGUMENT
BOUND = "openid projects:read organization:read"
OFFLINE = f"{BOUND} offline_access"


@pytest.fixture
async def member(world: World, owner: Person, organization_id: str) -> Person:
    """Somebody who lets the application in; what happens to them happens to no owner."""
    return await world.new_member(organization_id, owner, "member")


@pytest.fixture
async def bound(app: App, member: Person) -> IssueTokenResponse:
    """Tokens that end with the member's session."""
    return await app.signed_in(member, scope=BOUND)


@pytest.fixture
async def offline(app: App, member: Person) -> IssueTokenResponse:
    """Tokens that outlive it."""
    return await app.signed_in(member, scope=OFFLINE)


Ended = Callable[[IssueTokenResponse], Awaitable[None]]


@pytest.fixture
def ended(world: World, app: App, organization_id: str, refused: Refused) -> Ended:
    """Asserts that tokens are good for nothing."""

    async def check(tokens: IssueTokenResponse) -> None:
        attempt = get_organization(world, organization_id, tokens.access_token)
        await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
        await refused(app.refresh(tokens.refresh_token), INVALID, "OAUTH_INVALID_GRANT")
        told = app.user_info(tokens.access_token)
        await refused(told, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_TOKEN")

    return check


async def test_without_offline_access_they_end_with_the_session(
    world: World,
    app: App,
    member: Person,
    organization_id: str,
    bound: IssueTokenResponse,
    offline: IssueTokenResponse,
    ended: Ended,
) -> None:
    await world.auth.Logout(auth.LogoutRequest(), metadata=member.metadata)
    await ended(bound)
    assert await get_organization(world, organization_id, offline.access_token)
    assert (await app.refresh(offline.refresh_token)).access_token


async def test_a_code_is_of_no_use_once_the_session_has_ended(
    world: World, app: App, member: Person, refused: Refused
) -> None:
    code = await app.code(member, scope=BOUND)
    await world.auth.Logout(auth.LogoutRequest(), metadata=member.metadata)
    await refused(app.exchange(code), INVALID, "OAUTH_INVALID_GRANT")


async def test_a_new_password_by_mail_ends_all_and_keeps_the_consent(
    world: World,
    app: App,
    member: Person,
    bound: IssueTokenResponse,
    offline: IssueTokenResponse,
    ended: Ended,
) -> None:
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=member.email))
    token = (await world.mail(member.email, "reset_password"))["token"]
    new = "another password that is long enough"
    await world.auth.ResetPassword(auth.ResetPasswordRequest(token=token, new_password=new))
    await ended(bound)
    await ended(offline)
    again = await world.sign_in(member.email, new)
    assert (await app.ask(again, scope=BOUND)).next == "approve"


async def test_a_new_password_of_who_knows_the_old_one_leaves_offline_access(
    world: World,
    app: App,
    member: Person,
    bound: IssueTokenResponse,
    offline: IssueTokenResponse,
    ended: Ended,
) -> None:
    elsewhere = await world.sign_in(member.email)
    await world.users.ChangePassword(
        users.ChangePasswordRequest(
            current_password=member.password, new_password="another password that is long enough"
        ),
        metadata=elsewhere.metadata,
    )
    await ended(bound)
    assert (await app.refresh(offline.refresh_token)).access_token


async def test_nobody_acts_for_who_is_suspended_nor_after_they_are_back(
    world: World,
    member: Person,
    administrator: Person,
    bound: IssueTokenResponse,
    offline: IssueTokenResponse,
    ended: Ended,
) -> None:
    for status in ("suspended", "active"):
        await world.users.UpdateUser(
            users.UpdateUserRequest(user_id=member.id, status=status),
            metadata=administrator.metadata,
        )
        await ended(bound)
        await ended(offline)


async def test_nobody_acts_for_who_is_gone(
    world: World, member: Person, offline: IssueTokenResponse, ended: Ended
) -> None:
    await world.users.DeleteMe(
        users.DeleteMeRequest(current_password=member.password), metadata=member.metadata
    )
    await ended(offline)
    assert await grants_of(world, member) == 1
    await clear_away(world, timedelta())
    assert await grants_of(world, member) == 0


async def test_nobody_acts_in_an_organization_for_who_was_removed_nor_after_they_are_back(
    world: World,
    app: App,
    owner: Person,
    member: Person,
    organization_id: str,
    offline: IssueTokenResponse,
    ended: Ended,
) -> None:
    request = organizations.RemoveMemberRequest(organization_id=organization_id, user_id=member.id)
    await world.organizations.RemoveMember(request, metadata=owner.metadata)
    await ended(offline)
    assert not await list_grants(world, member)
    await world.organizations.CreateInvitation(
        organizations.CreateInvitationRequest(
            organization_id=organization_id, email=member.email, role="member"
        ),
        metadata=owner.metadata,
    )
    token = (await world.mail(member.email, "invitation"))["token"]
    await world.organizations.AcceptInvitation(
        organizations.AcceptInvitationRequest(token=token), metadata=member.metadata
    )
    await ended(offline)
    with world.clock.later(timedelta(minutes=1)):
        assert (await app.ask(member, scope=BOUND)).next == "consent"
        assert (await app.signed_in(member, scope=BOUND)).access_token


async def test_a_role_that_was_taken_is_taken_from_the_application(
    world: World,
    owner: Person,
    app: App,
    organization_id: str,
    application_client: ApplicationClient,
    refused: Refused,
) -> None:
    app = await new_app(application_client, scopes=["openid", "organization:write"])
    admin = await world.new_member(organization_id, owner, "admin")
    token = (await app.signed_in(admin, scope="organization:write")).access_token
    await world.organizations.UpdateMember(
        organizations.UpdateMemberRequest(
            organization_id=organization_id, user_id=admin.id, role="viewer"
        ),
        metadata=owner.metadata,
    )
    attempt = world.organizations.UpdateOrganization(
        organizations.UpdateOrganizationRequest(organization_id=organization_id, name="x"),
        metadata=bearer(token),
    )
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_an_organization_that_is_gone_takes_all_with_it(
    world: World,
    owner: Person,
    member: Person,
    organization_id: str,
    offline: IssueTokenResponse,
    app: App,
    refused: Refused,
) -> None:
    request = organizations.DeleteOrganizationRequest(organization_id=organization_id)
    await world.organizations.DeleteOrganization(request, metadata=owner.metadata)
    attempt = get_organization(world, organization_id, offline.access_token)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    await clear_away(world, timedelta(days=400))
    assert await grants_of(world, member) == 0


async def test_a_revoked_grant_takes_every_token_at_the_next_call(
    world: World,
    app: App,
    member: Person,
    bound: IssueTokenResponse,
    offline: IssueTokenResponse,
    ended: Ended,
    audited: Audited,
) -> None:
    [grant] = await list_grants(world, member)
    assert (grant.application_name, grant.client_id) == ("an application", app.client_id)
    assert grant.last_used_at.seconds
    await revoke_grant(world, member, grant.id)
    await ended(bound)
    await ended(offline)
    assert not await list_grants(world, member)
    assert await audited(grant.id) == ["grant.created", "grant.updated", "grant.revoked"]
    assert (await app.ask(member, scope=BOUND)).next == "consent"


async def test_nobody_revokes_the_grant_of_somebody_else(
    world: World, member: Person, owner: Person, offline: IssueTokenResponse, refused: Refused
) -> None:
    [grant] = await list_grants(world, member)
    attempt = revoke_grant(world, owner, grant.id)
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "GRANT_NOT_FOUND")


@pytest.mark.parametrize("end", ["disable", "delete"])
async def test_an_application_that_is_gone_acts_for_nobody(
    world: World,
    application_client: ApplicationClient,
    app: App,
    organization_id: str,
    offline: IssueTokenResponse,
    refused: Refused,
    end: str,
) -> None:
    if end == "disable":
        await application_client.update(app.client_id, enabled=False)
    else:
        await application_client.delete(app.client_id)
    await asyncio.sleep(0.3)
    attempt = get_organization(world, organization_id, offline.access_token)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    refreshed = app.refresh(offline.refresh_token)
    await refused(refreshed, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")


async def test_what_is_approved_while_the_owner_takes_the_account_back_ends_as_well(
    world: World, app: App, member: Person, ended: Ended
) -> None:
    """The call of whoever is thrown out came after the other one had begun, and before its end."""
    reset_began = world.clock()
    with world.clock.later(timedelta(seconds=1)):
        late = await app.signed_in(member, scope=OFFLINE)
    async with world.engine.begin() as db:
        statement = text("update users set sessions_valid_after = :moment where id = :id")
        await db.execute(statement, {"moment": reset_began, "id": member.id})
    await ended(late)


async def test_a_deleted_application_leaves_nothing_with_its_people(
    world: World,
    application_client: ApplicationClient,
    app: App,
    member: Person,
    offline: IssueTokenResponse,
) -> None:
    await application_client.delete(app.client_id)
    assert not await list_grants(world, member)
    await clear_away(world, timedelta())
    assert await grants_of(world, member) == 0


async def test_the_owner_of_an_application_sees_how_much_it_is_used(
    world: World,
    owner: Person,
    app: App,
    offline: IssueTokenResponse,
    stranger: Person,
    refused: Refused,
) -> None:
    await app.signed_in(owner)
    stub = GrantServiceStub(world.channel)
    request = grants.GetApplicationUsageRequest(application_id=app.client_id)
    usage = (await stub.GetApplicationUsage(request, metadata=owner.metadata)).usage
    assert (usage.people, usage.organizations, usage.grants) == (2, 1, 2)
    assert (usage.new_grants, usage.used_grants) == (2, 2)
    attempt = stub.GetApplicationUsage(request, metadata=stranger.metadata)
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_a_month_of_sign_ins_leaves_little_behind(
    world: World, app: App, member: Person
) -> None:
    """Codes and authorizations go when no token can come of them any more."""
    for day in range(1, 31, 3):
        with world.clock.later(timedelta(days=day)):
            person = await world.sign_in(member.email)
            issued = await app.signed_in(person, scope=BOUND)
            await app.refresh(issued.refresh_token)
            await world.auth.Logout(auth.LogoutRequest(), metadata=person.metadata)
    await clear_away(world, timedelta(days=31))
    assert await rows_of(world, member) == {"codes": 0, "authorizations": 0, "grants": 1}


async def clear_away(world: World, later: timedelta) -> None:
    """What the workers do."""
    now = world.clock() + later
    async with AsyncSession(world.engine) as db, db.begin():
        for clear in (cleanup.delete_codes, cleanup.delete_authorizations, cleanup.delete_grants):
            while await clear(db, now, 1000):
                pass


async def grants_of(world: World, person: Person) -> int:
    return (await rows_of(world, person))["grants"]


async def rows_of(world: World, person: Person) -> dict[str, int]:
    """How many rows there are about what a person has let applications do."""
    query = text(
        "select count(distinct g.id) as grants, count(distinct a.id) as authorizations,"
        " count(c.code_hash) as codes from oauth_grants g"
        " left join oauth_authorizations a on a.grant_id = g.id"
        " left join oauth_codes c on c.authorization_id = a.id where g.user_id = :user_id"
    )
    async with world.engine.connect() as db:
        row = (await db.execute(query, {"user_id": person.id})).mappings().one()
        return dict(row)
