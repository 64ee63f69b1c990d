"""DeleteUser: the account is gone, its row is kept, its address is free."""

from __future__ import annotations

import grpc
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.users.v1 import user_service_pb2 as pb
from sqlalchemy import text

from tests.core.conftest import Audited, Refused
from tests.core.users.conftest import unknown_id
from tests.core.world import Person, World

NOT_FOUND = grpc.StatusCode.NOT_FOUND
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
FAILED = grpc.StatusCode.FAILED_PRECONDITION


def delete(
    world: World, administrator: Person, user_id: str
) -> aio.UnaryUnaryCall[pb.DeleteUserRequest, pb.DeleteUserResponse]:
    return world.users.DeleteUser(
        pb.DeleteUserRequest(user_id=user_id), metadata=administrator.metadata
    )


async def test_a_deleted_person_is_out_at_once(
    world: World, administrator: Person, owner: Person, refused: Refused, audited: Audited
) -> None:
    await delete(world, administrator, owner.id)
    attempt = world.users.GetMe(pb.GetMeRequest(), metadata=owner.metadata)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")
    refresh = auth.RefreshTokenRequest(refresh_token=owner.refresh_token)
    await refused(world.auth.RefreshToken(refresh), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    login = auth.LoginRequest(email=owner.email, password=owner.password)
    await refused(world.auth.Login(login), UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert (await audited(owner.id))[-1] == "user.deleted"


async def test_a_deleted_account_does_not_exist_and_its_row_does(
    world: World, administrator: Person, owner: Person, refused: Refused
) -> None:
    await delete(world, administrator, owner.id)
    get = pb.GetUserRequest(user_id=owner.id)
    attempt = world.users.GetUser(get, metadata=administrator.metadata)
    await refused(attempt, NOT_FOUND, "USER_NOT_FOUND")
    search = pb.ListUsersRequest(search=owner.email)
    found = await world.users.ListUsers(search, metadata=administrator.metadata)
    assert list(found.users) == []
    await refused(delete(world, administrator, owner.id), NOT_FOUND, "USER_NOT_FOUND")
    async with world.engine.connect() as connection:
        query = text("select email from users where id = :id and deleted_at is not null")
        assert (await connection.execute(query, {"id": owner.id})).scalar_one() == owner.email


async def test_the_address_can_register_anew(
    world: World, administrator: Person, owner: Person
) -> None:
    await delete(world, administrator, owner.id)
    again = await world.new_person(owner.email)
    assert again.email == owner.email
    assert again.id != owner.id


async def test_a_link_mailed_before_is_of_no_use(
    world: World, administrator: Person, owner: Person, refused: Refused
) -> None:
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=owner.email))
    token = (await world.mail(owner.email, "reset_password"))["token"]
    await delete(world, administrator, owner.id)
    reset = auth.ResetPasswordRequest(token=token, new_password="a sentence of my own")
    attempt = world.auth.ResetPassword(reset)
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "TOKEN_INVALID")


async def test_the_last_owner_of_an_organization_stays(
    world: World, administrator: Person, owner: Person, organization_id: str, refused: Refused
) -> None:
    await refused(delete(world, administrator, owner.id), FAILED, "USER_IS_LAST_OWNER")
    get = organizations.GetOrganizationRequest(organization_id=organization_id)
    answer = await world.organizations.GetOrganization(get, metadata=owner.metadata)
    assert answer.organization.id == organization_id


async def test_a_deleted_member_is_no_member_any_more(
    world: World, administrator: Person, owner: Person, organization_id: str
) -> None:
    member = await world.new_member(organization_id, owner, "member")
    await delete(world, administrator, member.id)
    listed = await world.organizations.ListMembers(
        organizations.ListMembersRequest(organization_id=organization_id), metadata=owner.metadata
    )
    assert [one.user_id for one in listed.members] == [owner.id]


async def test_the_last_administrator_stays(
    world: World, administrator: Person, refused: Refused
) -> None:
    attempt = delete(world, administrator, administrator.id)
    await refused(attempt, FAILED, "LAST_ADMINISTRATOR")


async def test_who_has_not_seen_the_last_change_is_refused(
    world: World, administrator: Person, owner: Person, refused: Refused
) -> None:
    metadata = (*administrator.metadata, ("if-match", '"0"'))
    attempt = world.users.DeleteUser(pb.DeleteUserRequest(user_id=owner.id), metadata=metadata)
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")


async def test_an_unknown_account_does_not_exist(
    world: World, administrator: Person, refused: Refused
) -> None:
    attempt = delete(world, administrator, unknown_id())
    await refused(attempt, NOT_FOUND, "USER_NOT_FOUND")
