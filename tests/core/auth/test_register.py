"""Register: an account, and a mail that proves its address."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as pb

from tests.core.auth.conftest import registration
from tests.core.conftest import Audited, Refused
from tests.core.world import PASSWORD, Person, World, new_email, refusal

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_a_new_person_gets_an_account_and_a_mail(world: World, audited: Audited) -> None:
    email = new_email()
    attempt = world.auth.Register(registration(email))
    user = (await attempt).user
    assert (user.email, user.display_name, user.status, user.role) == (
        email,
        "Ada",
        "active",
        "user",
    )
    assert not user.email_verified
    assert not user.HasField("last_login_at")
    assert dict(await attempt.initial_metadata())["location"] == "/api/v1/users/me"
    mail = await world.mail(email, "verify_email")
    assert mail["display_name"] == "Ada"
    assert "portico.emails.send_due" in world.notifier.tasks
    assert await audited(user.id) == ["user.registered"]


async def test_an_address_is_kept_in_lower_case(world: World) -> None:
    email = new_email()
    user = (await world.auth.Register(registration(email.upper()))).user
    assert user.email == email


async def test_a_taken_address_is_refused_however_it_is_written(
    world: World, owner: Person, refused: Refused
) -> None:
    mails = await world.mails(owner.email, "verify_email")
    attempt = world.auth.Register(registration(owner.email.title()))
    await refused(attempt, grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN")
    assert await world.mails(owner.email, "verify_email") == mails


async def test_of_two_who_register_an_address_at_once_one_gets_it(world: World) -> None:
    email = new_email()
    attempts = (world.auth.Register(registration(email)) for _ in range(2))
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    failures = [answer for answer in answers if isinstance(answer, aio.AioRpcError)]
    assert [refusal(failure).reason for failure in failures] == ["EMAIL_TAKEN"]
    assert len(await world.mails(email, "verify_email")) == 1


@pytest.mark.parametrize(
    "password",
    ["short", "passwordpassword", "Password2024!!", "qwertyuiop12", "aaaaaaaaaaaaaa", "x" * 1001],
)
async def test_a_weak_password_is_refused(world: World, password: str, refused: Refused) -> None:
    attempt = world.auth.Register(registration(new_email(), password))
    assert (await refused(attempt, INVALID, "VALIDATION_ERROR")).fields == ("password",)


@pytest.mark.parametrize("password", ["Grace Hopper 1906", "gracehopper!", "portico portico 2026"])
async def test_a_password_of_the_name_of_the_person_or_the_product_is_refused(
    world: World, password: str, refused: Refused
) -> None:
    request = registration(new_email(), password)
    request.display_name = "Grace Hopper"
    attempt = world.auth.Register(request)
    assert (await refused(attempt, INVALID, "VALIDATION_ERROR")).fields == ("password",)


@pytest.mark.parametrize(
    "password",
    ["kettle orchid violin", "passwords are a pity", "gmxkzrtwqpvb", "gmxkzrtwqpvb" * 80],
)
async def test_a_phrase_or_random_letters_need_no_special_signs(
    world: World, password: str
) -> None:
    assert (await world.auth.Register(registration(new_email(), password))).user.id


async def test_a_password_with_the_address_in_it_is_refused(world: World, refused: Refused) -> None:
    email = new_email()
    for password in (f"my {email}!", f"hello {email.partition('@')[0].upper()}"):
        attempt = world.auth.Register(registration(email, password))
        assert (await refused(attempt, INVALID, "VALIDATION_ERROR")).fields == ("password",)


async def test_nobody_registers_without_accepting_the_terms(world: World, refused: Refused) -> None:
    request = pb.RegisterRequest(email=new_email(), password=PASSWORD, display_name="Ada")
    found = await refused(world.auth.Register(request), INVALID, "VALIDATION_ERROR")
    assert found.fields == ("accepted_terms",)


async def test_a_request_without_anything_names_every_field(world: World, refused: Refused) -> None:
    found = await refused(world.auth.Register(pb.RegisterRequest()), INVALID, "VALIDATION_ERROR")
    assert set(found.fields) == {"email", "password", "display_name", "accepted_terms"}


async def test_nothing_past_72_bytes_of_a_password_is_lost(world: World, refused: Refused) -> None:
    long = "an unusual sentence that goes on and on for very much longer than bcrypt can see "
    person = await _verified(world, long + "one")
    attempt = world.auth.Login(pb.LoginRequest(email=person, password=long + "two"))
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert (await world.sign_in(person, long + "one")).email == person


async def test_a_password_is_the_same_in_every_form_of_unicode(world: World) -> None:
    email = await _verified(world, "caf\N{LATIN SMALL LETTER E WITH ACUTE} with cold milk")
    typed_elsewhere = "cafe\N{COMBINING ACUTE ACCENT} with cold milk"
    assert (await world.sign_in(email, typed_elsewhere)).email == email


async def _verified(world: World, password: str) -> str:
    email = new_email()
    await world.auth.Register(registration(email, password))
    token = (await world.mail(email, "verify_email"))["token"]
    await world.auth.VerifyEmail(pb.VerifyEmailRequest(token=token))
    return email


@pytest.mark.parametrize("email", ["a..b@example.com", ".a@example.com", f"{'a' * 65}@example.com"])
async def test_an_address_that_no_mail_can_be_sent_to_is_refused(
    world: World, refused: Refused, email: str
) -> None:
    found = await refused(world.auth.Register(registration(email)), INVALID, "VALIDATION_ERROR")
    assert found.fields == ("email",)


async def test_a_domain_that_idna_refuses_is_named_like_any_bad_address(
    world: World, refused: Refused
) -> None:
    attempt = world.auth.Register(registration("ada@xn--a.example"))
    assert (await refused(attempt, INVALID, "VALIDATION_ERROR")).fields == ("email",)


async def test_an_international_address_has_one_account_however_it_is_written(
    world: World, refused: Refused
) -> None:
    local = new_email().partition("@")[0]
    unicode, ascii_form = f"{local}@bücher.example", f"{local}@xn--bcher-kva.example"
    user = (await world.auth.Register(registration(unicode))).user
    assert user.email == ascii_form
    for written in (ascii_form, unicode.upper()):
        attempt = world.auth.Register(registration(written))
        await refused(attempt, grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN")
    token = (await world.mail(ascii_form, "verify_email"))["token"]
    await world.auth.VerifyEmail(pb.VerifyEmailRequest(token=token))
    assert (await world.sign_in(unicode)).id == (await world.sign_in(ascii_form)).id == user.id
