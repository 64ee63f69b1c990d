"""CreateUser: an account for somebody else, who chooses a password by mail."""

from __future__ import annotations

import grpc
from portico.auth.v1 import auth_service_pb2 as auth
from portico.users.v1 import user_service_pb2 as pb

from tests.core.conftest import Audited, Refused
from tests.core.users.conftest import new_account
from tests.core.world import Person, World, new_email

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_the_person_is_mailed_and_chooses_a_password(
    world: World, administrator: Person, audited: Audited
) -> None:
    user = (await new_account(world, administrator)).user
    assert (user.role, user.status, user.email_verified) == ("user", "active", False)
    mail = await world.mail(user.email, "choose_password")
    assert mail["display_name"] == "Grace"
    await world.auth.ResetPassword(
        auth.ResetPasswordRequest(token=mail["token"], new_password="a sentence of my own")
    )
    assert (await world.sign_in(user.email, "a sentence of my own")).id == user.id
    assert (await audited(user.id))[0] == "user.created"


async def test_the_answer_says_where_the_account_is(world: World, administrator: Person) -> None:
    request = pb.CreateUserRequest(email=new_email(), display_name="Grace")
    attempt = world.users.CreateUser(request, metadata=administrator.metadata)
    location = dict(await attempt.initial_metadata())["location"]
    assert location == f"/api/v1/users/{(await attempt).user.id}"


async def test_nobody_signs_in_before_a_password_is_chosen(
    world: World, administrator: Person, refused: Refused
) -> None:
    email = (await new_account(world, administrator)).user.email
    attempt = world.auth.Login(auth.LoginRequest(email=email, password="anything"))
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS")


async def test_a_new_link_comes_by_forgot_password(world: World, administrator: Person) -> None:
    email = (await new_account(world, administrator)).user.email
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=email))
    assert (await world.mail(email, "reset_password"))["token"]


async def test_an_administrator_may_appoint_another(world: World, administrator: Person) -> None:
    user = (await new_account(world, administrator, role="administrator")).user
    assert user.role == "administrator"


async def test_a_taken_address_is_refused(
    world: World, administrator: Person, owner: Person, refused: Refused
) -> None:
    request = pb.CreateUserRequest(email=owner.email.upper(), display_name="Grace")
    attempt = world.users.CreateUser(request, metadata=administrator.metadata)
    await refused(attempt, grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN")
    assert await world.mails(owner.email, "choose_password") == []


async def test_what_breaks_a_rule_is_named(
    world: World, administrator: Person, refused: Refused
) -> None:
    request = pb.CreateUserRequest(email="nobody", display_name="", role="king")
    attempt = world.users.CreateUser(request, metadata=administrator.metadata)
    found = await refused(attempt, INVALID, "VALIDATION_ERROR")
    assert set(found.fields) == {"email", "display_name", "role"}


async def test_accounts_for_others_are_mailed_within_the_budget_of_who_makes_them(
    world: World, administrator: Person, refused: Refused
) -> None:
    for _ in range(20):
        await new_account(world, administrator)
    email = new_email()
    request = pb.CreateUserRequest(email=email, display_name="Grace")
    attempt = world.users.CreateUser(request, metadata=administrator.metadata)
    exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
    found = await refused(attempt, exhausted, "RATE_LIMIT_EXCEEDED")
    assert found.retry_after is not None
    assert await world.mails(email, "choose_password") == []
