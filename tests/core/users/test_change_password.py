"""ChangePassword: a new password for who knows the old one; all other sessions end."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.users.v1 import user_service_pb2 as pb

from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.world import PASSWORD, Person, World, refusal

NEW_PASSWORD = "a different long sentence"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def change(
    world: World, person: Person, new: str = NEW_PASSWORD, current: str = PASSWORD
) -> aio.UnaryUnaryCall[pb.ChangePasswordRequest, pb.ChangePasswordResponse]:
    request = pb.ChangePasswordRequest(current_password=current, new_password=new)
    return world.users.ChangePassword(request, metadata=person.metadata)


async def test_the_new_password_signs_in_and_the_old_one_does_not(
    world: World, owner: Person, refused: Refused, audited: Audited
) -> None:
    await change(world, owner)
    assert (await world.sign_in(owner.email, NEW_PASSWORD)).id == owner.id
    attempt = world.auth.Login(auth.LoginRequest(email=owner.email, password=PASSWORD))
    await refused(attempt, UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert "user.password_changed" in await audited(owner.id)


async def test_all_other_sessions_end_and_this_one_goes_on(
    world: World, owner: Person, refused: Refused
) -> None:
    other = await world.sign_in(owner.email)
    await change(world, owner)
    attempt = world.users.GetMe(pb.GetMeRequest(), metadata=other.metadata)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")
    refresh = auth.RefreshTokenRequest(refresh_token=other.refresh_token)
    await refused(world.auth.RefreshToken(refresh), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    assert (await world.users.GetMe(pb.GetMeRequest(), metadata=owner.metadata)).user.id


async def test_a_link_that_was_mailed_before_is_of_no_use_afterwards(
    world: World, owner: Person, refused: Refused
) -> None:
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=owner.email))
    token = (await world.mail(owner.email, "reset_password"))["token"]
    await change(world, owner)
    attempt = auth.ResetPasswordRequest(token=token, new_password="the sentence of a thief")
    await refused(world.auth.ResetPassword(attempt), INVALID, "TOKEN_INVALID")
    assert (await world.sign_in(owner.email, NEW_PASSWORD)).id == owner.id


async def test_a_link_used_at_the_same_moment_does_not_undo_the_change(
    world: World, owner: Person
) -> None:
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=owner.email))
    token = (await world.mail(owner.email, "reset_password"))["token"]
    by_link = auth.ResetPasswordRequest(token=token, new_password="the sentence of the link")
    _, reasons = await race(change(world, owner), world.auth.ResetPassword(by_link))
    assert len(reasons) == 1
    (reason,) = reasons
    expected = {
        "TOKEN_INVALID": NEW_PASSWORD,
        "CURRENT_PASSWORD_WRONG": "the sentence of the link",
        "UNAUTHENTICATED": "the sentence of the link",
    }
    assert (await world.sign_in(owner.email, expected[reason])).id == owner.id


async def test_the_owner_is_told_by_mail(world: World, owner: Person) -> None:
    await change(world, owner)
    notice = await world.mail(owner.email, "password_changed")
    assert notice["client_address"] in ("127.0.0.1", "::1")
    assert notice["changed_at"].endswith(" UTC")
    assert "token" not in notice


async def test_who_does_not_know_the_password_is_refused(
    world: World, owner: Person, refused: Refused
) -> None:
    attempt = change(world, owner, current="not the password")
    found = await refused(attempt, INVALID, "CURRENT_PASSWORD_WRONG")
    assert found.fields == ("current_password",)
    assert (await world.sign_in(owner.email)).id == owner.id


async def test_of_two_who_change_it_at_once_one_succeeds(world: World, owner: Person) -> None:
    attempts = (change(world, owner, f"a sentence with number {n}") for n in range(2))
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    failures = [answer for answer in answers if isinstance(answer, aio.AioRpcError)]
    assert [refusal(failure).reason for failure in failures] == ["CURRENT_PASSWORD_WRONG"]


@pytest.mark.parametrize("password", [PASSWORD, "\uff43" + PASSWORD[1:]], ids=["same", "width"])
async def test_the_present_password_is_no_new_one(
    world: World, owner: Person, password: str, refused: Refused
) -> None:
    found = await refused(change(world, owner, password), INVALID, "VALIDATION_ERROR")
    assert (found.fields, found.reasons) == (("new_password",), ("PASSWORD_UNCHANGED",))


@pytest.mark.parametrize("password", ["short", "passwordpassword", "qwertyuiopasdf"])
async def test_a_weak_password_is_refused(
    world: World, owner: Person, password: str, refused: Refused
) -> None:
    found = await refused(change(world, owner, password), INVALID, "VALIDATION_ERROR")
    assert found.fields == ("new_password",)


async def test_a_password_with_the_address_in_it_is_refused(
    world: World, owner: Person, refused: Refused
) -> None:
    attempt = change(world, owner, f"it is {owner.email}")
    assert (await refused(attempt, INVALID, "VALIDATION_ERROR")).fields == ("new_password",)
