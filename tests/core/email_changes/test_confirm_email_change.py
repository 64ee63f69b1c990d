"""ConfirmEmailChange: the account has the new address, and the old one hears of it."""

from __future__ import annotations

import grpc
from portico.auth.v1 import auth_service_pb2 as auth
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.users.v1 import user_service_pb2 as users

from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.email_changes.conftest import NEW_PASSWORD, address, confirm, request_change
from tests.core.world import PASSWORD, Person, World, new_email

INVALID = grpc.StatusCode.INVALID_ARGUMENT
TAKEN = grpc.StatusCode.ALREADY_EXISTS


async def test_the_new_address_signs_in_and_is_verified_and_the_old_one_does_not(
    world: World, owner: Person, refused: Refused, audited: Audited
) -> None:
    email = new_email()
    user = (await confirm(world, await world.request_email_change(owner, email))).user
    assert (user.id, user.email, user.email_verified) == (owner.id, email, True)
    assert (await world.sign_in(email)).id == owner.id
    login = world.auth.Login(auth.LoginRequest(email=owner.email, password=PASSWORD))
    await refused(login, grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert (await audited(owner.id))[-2:] == ["user.email_change_requested", "user.email_changed"]


async def test_the_old_address_hears_when_from_where_and_roughly_to_what(
    world: World, owner: Person
) -> None:
    await world.change_email(owner, "grace.hopper@example.org")
    mail = await world.mail(owner.email, "email_changed")
    assert mail["new_address"] == "g***@example.org"
    assert mail["token"]
    assert mail["changed_at"].endswith("UTC")
    assert mail["client_address"]


async def test_sessions_go_on(world: World, owner: Person) -> None:
    email = new_email()
    await world.change_email(owner, email)
    assert await address(world, owner) == email
    refresh = auth.RefreshTokenRequest(refresh_token=owner.refresh_token)
    assert (await world.auth.RefreshToken(refresh)).access_token


async def test_links_that_were_mailed_to_the_old_address_no_longer_work(
    world: World, owner: Person, refused: Refused
) -> None:
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=owner.email))
    token = (await world.mail(owner.email, "reset_password"))["token"]
    await world.change_email(owner, new_email())
    reset = auth.ResetPasswordRequest(token=token, new_password=NEW_PASSWORD)
    await refused(world.auth.ResetPassword(reset), INVALID, "TOKEN_INVALID")


async def test_a_link_that_is_mailed_to_the_old_address_at_that_moment_does_not_work_either(
    world: World, owner: Person, refused: Refused
) -> None:
    """It may be issued for the account while the account gets its new address."""
    forgot = auth.ForgotPasswordRequest(email=owner.email)
    for _ in range(3):
        token = await world.request_email_change(owner, new_email())
        answers, _ = await race(confirm(world, token), world.auth.ForgotPassword(forgot))
        assert answers
    for mail in await world.mails(owner.email, "reset_password"):
        reset = auth.ResetPasswordRequest(token=mail["token"], new_password=NEW_PASSWORD)
        await refused(world.auth.ResetPassword(reset), INVALID, "TOKEN_INVALID")


async def test_who_follows_the_link_twice_gets_the_same_answer(
    world: World, owner: Person, audited: Audited
) -> None:
    token = await world.request_email_change(owner, new_email())
    first = await confirm(world, token)
    assert await confirm(world, token) == first
    assert (await audited(owner.id)).count("user.email_changed") == 1
    assert len(await world.mails(owner.email, "email_changed")) == 1


async def test_of_two_who_follow_the_link_at_once_both_hear_that_it_is_done(
    world: World, owner: Person
) -> None:
    token = await world.request_email_change(owner, new_email())
    answers, refusals = await race(*(confirm(world, token) for _ in range(5)))
    assert refusals == []
    assert len({answer.user.email for answer in answers}) == 1
    assert len(await world.mails(owner.email, "email_changed")) == 1


async def test_a_link_says_nothing_once_the_account_has_another_address(
    world: World, owner: Person, refused: Refused
) -> None:
    first, second = new_email(), new_email()
    token = await world.request_email_change(owner, first)
    await confirm(world, token)
    await world.change_email(owner, second)
    await refused(confirm(world, token), INVALID, "TOKEN_INVALID")
    assert await address(world, owner) == second


async def test_an_address_that_was_taken_meanwhile_is_refused(
    world: World, owner: Person, refused: Refused
) -> None:
    email = new_email()
    token = await world.request_email_change(owner, email)
    await world.new_person(email)
    await refused(confirm(world, token), TAKEN, "EMAIL_TAKEN")
    assert await address(world, owner) == owner.email


async def test_of_two_accounts_that_want_an_address_one_gets_it(
    world: World, owner: Person, stranger: Person
) -> None:
    email = new_email()
    tokens = [await world.request_email_change(person, email) for person in (owner, stranger)]
    answers, refusals = await race(*(confirm(world, token) for token in tokens))
    assert ([answer.user.email for answer in answers], refusals) == ([email], ["EMAIL_TAKEN"])


async def test_of_who_registers_and_who_changes_to_an_address_one_gets_it(
    world: World, owner: Person
) -> None:
    email = new_email()
    token = await world.request_email_change(owner, email)
    registration = auth.RegisterRequest(
        email=email, password=PASSWORD, display_name="Eve", accepted_terms=True
    )
    answers, refusals = await race(confirm(world, token), world.auth.Register(registration))
    assert (len(answers), refusals) == (1, ["EMAIL_TAKEN"])


async def test_a_suspended_or_deleted_account_changes_nothing(
    world: World, owner: Person, administrator: Person, refused: Refused
) -> None:
    deleted = await world.new_person()
    for_deleted = await world.request_email_change(deleted, new_email())
    await world.users.DeleteUser(
        users.DeleteUserRequest(user_id=deleted.id), metadata=administrator.metadata
    )
    await refused(confirm(world, for_deleted), INVALID, "TOKEN_INVALID")
    token = await world.request_email_change(owner, new_email())
    await confirm(world, token)
    await world.users.UpdateUser(
        users.UpdateUserRequest(user_id=owner.id, status="suspended"),
        metadata=administrator.metadata,
    )
    await refused(confirm(world, token), INVALID, "TOKEN_INVALID")


async def test_an_invitation_is_for_who_has_the_address_now(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    invited, email = await world.new_person(), new_email()
    tokens = []
    for recipient in (invited.email, email):
        await world.organizations.CreateInvitation(
            organizations.CreateInvitationRequest(
                organization_id=organization_id, email=recipient, role="viewer"
            ),
            metadata=owner.metadata,
        )
        tokens.append((await world.mail(recipient, "invitation"))["token"])
    await world.change_email(invited, email)
    for_old, for_new = (
        world.organizations.AcceptInvitation(
            organizations.AcceptInvitationRequest(token=token), metadata=invited.metadata
        )
        for token in tokens
    )
    denied = grpc.StatusCode.PERMISSION_DENIED
    await refused(for_old, denied, "INVITATION_FOR_ANOTHER_ADDRESS")
    assert (await for_new).organization.id == organization_id


async def test_a_made_up_token_is_refused(world: World, refused: Refused) -> None:
    await refused(confirm(world, "made up"), INVALID, "TOKEN_INVALID")
    assert (await refused(confirm(world, ""), INVALID, "VALIDATION_ERROR")).fields == ("token",)


async def test_a_token_of_another_kind_is_refused(
    world: World, owner: Person, refused: Refused
) -> None:
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=owner.email))
    reset = (await world.mail(owner.email, "reset_password"))["token"]
    back = await world.change_email(owner, new_email())
    for token in (reset, back):
        await refused(confirm(world, token), INVALID, "TOKEN_INVALID")


async def test_an_old_address_is_nobody_elses_for_a_week(
    world: World, owner: Person, stranger: Person, refused: Refused
) -> None:
    await world.change_email(owner, new_email())
    registration = auth.RegisterRequest(
        email=owner.email, password=PASSWORD, display_name="Eve", accepted_terms=True
    )
    await refused(world.auth.Register(registration), TAKEN, "EMAIL_TAKEN")
    await request_change(world, stranger, owner.email)
    assert await world.mails(owner.email, "confirm_email_change") == []
    assert await world.mails(owner.email, "email_change_attempted") == [{}]
