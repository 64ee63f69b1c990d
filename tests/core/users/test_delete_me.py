"""DeleteMe: people delete their own accounts, as an administrator would."""

from __future__ import annotations

import grpc
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.users.v1 import user_service_pb2 as pb

from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.world import Person, World

INVALID = grpc.StatusCode.INVALID_ARGUMENT
FAILED = grpc.StatusCode.FAILED_PRECONDITION
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def delete(
    world: World, person: Person, password: str | None = None, *more: tuple[str, str]
) -> aio.UnaryUnaryCall[pb.DeleteMeRequest, pb.DeleteMeResponse]:
    request = pb.DeleteMeRequest(current_password=person.password if password is None else password)
    return world.users.DeleteMe(request, metadata=(*person.metadata, *more))


async def test_the_account_is_gone_and_its_owner_hears_of_it(
    world: World, owner: Person, refused: Refused, audited: Audited
) -> None:
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=owner.email))
    token = (await world.mail(owner.email, "reset_password"))["token"]
    await delete(world, owner)
    attempt = world.users.GetMe(pb.GetMeRequest(), metadata=owner.metadata)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")
    login = auth.LoginRequest(email=owner.email, password=owner.password)
    await refused(world.auth.Login(login), UNAUTHENTICATED, "INVALID_CREDENTIALS")
    reset = auth.ResetPasswordRequest(token=token, new_password="a sentence of my own")
    await refused(world.auth.ResetPassword(reset), INVALID, "TOKEN_INVALID")
    assert (await audited(owner.id))[-1] == "user.deleted"
    mail = await world.mail(owner.email, "account_deleted")
    assert mail["display_name"] == "Ada"
    assert mail["changed_at"].endswith("UTC")


async def test_only_who_knows_the_current_password_deletes_the_account(
    world: World, owner: Person, refused: Refused
) -> None:
    attempt = delete(world, owner, "another password")
    found = await refused(attempt, INVALID, "CURRENT_PASSWORD_WRONG")
    assert found.fields == ("current_password",)
    assert (await world.sign_in(owner.email)).id == owner.id
    assert await world.mails(owner.email, "account_deleted") == []


async def test_an_empty_password_is_named(world: World, owner: Person, refused: Refused) -> None:
    found = await refused(delete(world, owner, ""), INVALID, "VALIDATION_ERROR")
    assert found.fields == ("current_password",)


async def test_the_last_owner_of_an_organization_stays(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    assert organization_id
    await refused(delete(world, owner), FAILED, "USER_IS_LAST_OWNER")


async def test_the_last_administrator_stays(
    world: World, administrator: Person, refused: Refused
) -> None:
    await refused(delete(world, administrator), FAILED, "LAST_ADMINISTRATOR")


async def test_of_two_owners_who_go_at_once_one_stays(
    world: World, owner: Person, organization_id: str
) -> None:
    other = await world.new_member(organization_id, owner, "owner")
    answers, refusals = await race(delete(world, owner), delete(world, other))
    assert (len(answers), refusals) == (1, ["USER_IS_LAST_OWNER"])


async def test_who_is_deleted_is_no_member_any_more(
    world: World, owner: Person, organization_id: str
) -> None:
    member = await world.new_member(organization_id, owner, "member")
    await delete(world, member)
    listed = await world.organizations.ListMembers(
        organizations.ListMembersRequest(organization_id=organization_id), metadata=owner.metadata
    )
    assert [one.user_id for one in listed.members] == [owner.id]


async def test_a_repeated_call_gets_its_first_answer(world: World, owner: Person) -> None:
    key = ("idempotency-key", "delete-me-once")
    first = await delete(world, owner, None, key)
    assert await delete(world, owner, None, key) == first
    assert len(await world.mails(owner.email, "account_deleted")) == 1


async def test_two_calls_at_once_delete_once(world: World, owner: Person, audited: Audited) -> None:
    answers, refusals = await race(delete(world, owner), delete(world, owner))
    assert (len(answers), len(refusals)) == (1, 1)
    assert (await audited(owner.id)).count("user.deleted") == 1


async def test_who_has_not_seen_the_last_change_is_refused(
    world: World, owner: Person, refused: Refused
) -> None:
    attempt = delete(world, owner, None, ("if-match", '"0"'))
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
