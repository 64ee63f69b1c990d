"""RevertEmailChange: the old address gets its account back, whatever happened since."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.factors.v1 import factor_service_pb2 as factors
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import text

from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.email_changes.conftest import NEW_PASSWORD, address, confirm, revert
from tests.core.factors.conftest import enroll_app
from tests.core.world import PASSWORD, Person, World, new_email

INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
WEEK = timedelta(days=7)


async def choose_password(world: World, email: str, template: str) -> Person:
    """Follows the newest link to choose a password, and signs in."""
    token = (await world.mail(email, template))["token"]
    await world.auth.ResetPassword(
        auth.ResetPasswordRequest(token=token, new_password=NEW_PASSWORD)
    )
    return await world.sign_in(email, NEW_PASSWORD)


async def test_the_old_address_gets_the_account_and_a_link_to_a_password(
    world: World, owner: Person, audited: Audited
) -> None:
    await revert(world, await world.change_email(owner, new_email()))
    back = await choose_password(world, owner.email, "email_change_reverted")
    assert back.id == owner.id
    assert "user.email_change_reverted" in await audited(owner.id)


async def test_whoever_was_in_is_out(world: World, owner: Person, refused: Refused) -> None:
    email = new_email()
    token = await world.change_email(owner, email)
    confirmed = (await world.mail(email, "confirm_email_change"))["token"]
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=email))
    reset = (await world.mail(email, "reset_password"))["token"]
    pending = await world.request_email_change(owner, new_email())
    await revert(world, token)
    get_me = world.users.GetMe(users.GetMeRequest(), metadata=owner.metadata)
    await refused(get_me, UNAUTHENTICATED, "UNAUTHENTICATED")
    refresh = auth.RefreshTokenRequest(refresh_token=owner.refresh_token)
    await refused(world.auth.RefreshToken(refresh), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    for address_then in (email, owner.email):
        login = auth.LoginRequest(email=address_then, password=PASSWORD)
        await refused(world.auth.Login(login), UNAUTHENTICATED, "INVALID_CREDENTIALS")
    choose = auth.ResetPasswordRequest(token=reset, new_password=NEW_PASSWORD)
    await refused(world.auth.ResetPassword(choose), INVALID, "TOKEN_INVALID")
    await refused(confirm(world, pending), INVALID, "TOKEN_INVALID")
    await refused(confirm(world, confirmed), INVALID, "TOKEN_INVALID")


async def test_a_new_password_and_further_changes_do_not_keep_the_account(
    world: World, owner: Person, refused: Refused
) -> None:
    """The thief chooses a password, and goes from address to address."""
    first, second = new_email(), new_email()
    token = await world.change_email(owner, first)
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=first))
    thief = await choose_password(world, first, "reset_password")
    thiefs_own = await world.change_email(thief, second)
    await revert(world, token)
    await refused(revert(world, thiefs_own), INVALID, "TOKEN_INVALID")
    back = await choose_password(world, owner.email, "email_change_reverted")
    assert (back.id, await address(world, back)) == (owner.id, owner.email)


async def test_the_first_address_gets_it_back_from_one_that_got_it_back(
    world: World, owner: Person
) -> None:
    first, second = new_email(), new_email()
    of_owner = await world.change_email(owner, first)
    await revert(world, await world.change_email(owner, second))
    assert (await choose_password(world, first, "email_change_reverted")).id == owner.id
    await revert(world, of_owner)
    assert (await choose_password(world, owner.email, "email_change_reverted")).id == owner.id


async def test_a_thief_who_goes_back_to_the_old_address_gains_no_link(
    world: World, owner: Person, refused: Refused
) -> None:
    """X to Y, Y to X, X to Z: X takes the account back, and no later link works."""
    middle = new_email()
    token = await world.change_email(owner, middle)
    from_middle = await world.change_email(owner, owner.email)
    from_old = await world.change_email(owner, new_email())
    await revert(world, token)
    await refused(revert(world, from_middle), INVALID, "TOKEN_INVALID")
    # It names the address that the account has again, so there is nothing left to do.
    await revert(world, from_old)
    assert len(await world.mails(owner.email, "email_change_reverted")) == 1


async def test_who_follows_the_link_twice_hears_the_same_and_changes_nothing(
    world: World, owner: Person, audited: Audited
) -> None:
    token = await world.change_email(owner, new_email())
    await revert(world, token)
    back = await choose_password(world, owner.email, "email_change_reverted")
    await revert(world, token)
    assert await address(world, back) == owner.email
    assert (await world.sign_in(owner.email, NEW_PASSWORD)).id == owner.id
    assert (await audited(owner.id)).count("user.email_change_reverted") == 1


async def test_of_several_at_once_all_hear_that_it_is_done(world: World, owner: Person) -> None:
    token = await world.change_email(owner, new_email())
    answers, refusals = await race(*(revert(world, token) for _ in range(5)))
    assert (len(answers), refusals) == (5, [])
    assert len(await world.mails(owner.email, "email_change_reverted")) == 1


async def test_who_moves_on_while_the_change_is_taken_back_is_out(
    world: World, owner: Person
) -> None:
    """A confirmation and a sign-in at the moment of the link: the old address has it in the end."""
    email = new_email()
    token = await world.change_email(owner, email)
    pending = await world.request_email_change(owner, new_email())
    login = auth.LoginRequest(email=email, password=PASSWORD)
    await asyncio.gather(
        revert(world, token),
        confirm(world, pending),
        world.auth.Login(login),
        return_exceptions=True,
    )
    await revert(world, token)
    back = await choose_password(world, owner.email, "email_change_reverted")
    sessions = await world.auth.ListSessions(auth.ListSessionsRequest(), metadata=back.metadata)
    assert [session.current for session in sessions.sessions] == [True]
    assert await address(world, back) == owner.email


async def test_the_link_is_good_for_a_week_and_the_address_as_long_nobody_elses(
    world: World, owner: Person, stranger: Person, refused: Refused
) -> None:
    token = await world.change_email(owner, new_email())
    with world.clock.later(WEEK - timedelta(minutes=1)):
        taken = world.auth.Register(
            auth.RegisterRequest(
                email=owner.email, password=PASSWORD, display_name="Eve", accepted_terms=True
            )
        )
        await refused(taken, grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN")
    with world.clock.later(WEEK + timedelta(seconds=1)):
        await refused(revert(world, token), INVALID, "TOKEN_INVALID")
        assert (await world.new_person(owner.email)).id != owner.id


async def test_the_account_itself_may_go_back_to_its_old_address(
    world: World, owner: Person
) -> None:
    await world.change_email(owner, new_email())
    await world.change_email(owner, owner.email)
    assert await address(world, owner) == owner.email


async def test_of_who_frees_an_address_and_who_registers_it_the_account_keeps_it(
    world: World, owner: Person
) -> None:
    """The registration waits for the change, and finds the address kept for its owner."""
    pending = await world.request_email_change(owner, new_email())
    registration = auth.RegisterRequest(
        email=owner.email, password=PASSWORD, display_name="Eve", accepted_terms=True
    )
    _, refusals = await race(
        confirm(world, pending), *(world.auth.Register(registration) for _ in range(4))
    )
    assert refusals == ["EMAIL_TAKEN"] * 4
    await revert(world, (await world.mail(owner.email, "email_changed"))["token"])
    assert (await choose_password(world, owner.email, "email_change_reverted")).id == owner.id


async def test_a_suspended_account_gets_its_address_back_and_stays_suspended(
    world: World, owner: Person, administrator: Person, refused: Refused
) -> None:
    token = await world.change_email(owner, new_email())
    suspend = users.UpdateUserRequest(user_id=owner.id, status="suspended")
    await world.users.UpdateUser(suspend, metadata=administrator.metadata)
    await revert(world, token)
    assert await world.mails(owner.email, "email_change_reverted") == []
    get = users.GetUserRequest(user_id=owner.id)
    user = (await world.users.GetUser(get, metadata=administrator.metadata)).user
    assert (user.email, user.status) == (owner.email, "suspended")


async def test_a_deleted_account_is_gone_and_both_its_addresses_are_free(
    world: World, owner: Person, refused: Refused
) -> None:
    email = new_email()
    token = await world.change_email(owner, email)
    await world.users.DeleteMe(
        users.DeleteMeRequest(current_password=PASSWORD), metadata=owner.metadata
    )
    await refused(revert(world, token), INVALID, "TOKEN_INVALID")
    for free in (owner.email, email):
        assert (await world.new_person(free)).id != owner.id


@pytest.mark.parametrize("token", ["made up", "x" * 200])
async def test_a_made_up_token_is_refused(world: World, refused: Refused, token: str) -> None:
    await refused(revert(world, token), INVALID, "TOKEN_INVALID")


async def test_the_token_to_confirm_takes_nothing_back(
    world: World, owner: Person, refused: Refused
) -> None:
    token = await world.request_email_change(owner, new_email())
    await refused(revert(world, token), INVALID, "TOKEN_INVALID")
    await confirm(world, token)
    await refused(revert(world, token), INVALID, "TOKEN_INVALID")


async def kinds(world: World, user_id: str) -> list[str]:
    """The factors of a person, however they can be reached."""
    query = text("select kind from factors where user_id = :id order by id")
    async with world.engine.connect() as connection:
        return list(await connection.scalars(query, {"id": UUID(user_id)}))


async def recovery_codes(world: World, user_id: str) -> int:
    query = text("select count(*) from recovery_codes where user_id = :id")
    async with world.engine.connect() as connection:
        return int((await connection.execute(query, {"id": UUID(user_id)})).scalar_one())


async def test_a_factor_that_was_added_since_is_no_lock_on_the_account(
    world: World, owner: Person, audited: Audited
) -> None:
    """Whoever took the account has an app and a sheet of codes of their own."""
    token = await world.change_email(owner, new_email())
    added = await enroll_app(world, owner)
    await revert(world, token)
    assert await kinds(world, owner.id) == []
    assert await recovery_codes(world, owner.id) == 0
    assert await audited(added.factor_id) == ["factor.added", "factor.removed"]
    back = await choose_password(world, owner.email, "email_change_reverted")
    assert back.access_token


async def test_a_factor_that_was_added_while_the_change_was_pending_goes_as_well(
    world: World, owner: Person
) -> None:
    email = new_email()
    confirm_token = await world.request_email_change(owner, email)
    await enroll_app(world, owner)
    await confirm(world, confirm_token)
    await revert(world, (await world.mail(owner.email, "email_changed"))["token"])
    assert await kinds(world, owner.id) == []


async def test_a_factor_from_before_stays_and_codes_made_since_do_not(
    world: World, owner: Person
) -> None:
    """Who has the former mailbox alone does not get around the owner's app."""
    before = await enroll_app(world, owner)
    world.clock.advance(timedelta(minutes=1))
    token = await world.change_email(owner, new_email())
    assert await recovery_codes(world, owner.id) == 10
    await world.factors.CreateRecoveryCodes(
        factors.CreateRecoveryCodesRequest(), metadata=owner.metadata
    )
    await enroll_app(world, owner)
    await revert(world, token)
    assert await kinds(world, owner.id) == ["totp"]
    assert await recovery_codes(world, owner.id) == 0
    reset = (await world.mail(owner.email, "email_change_reverted"))["token"]
    await world.auth.ResetPassword(
        auth.ResetPasswordRequest(token=reset, new_password=NEW_PASSWORD)
    )
    begun = await world.auth.Login(auth.LoginRequest(email=owner.email, password=NEW_PASSWORD))
    assert begun.mfa_required
    await before.complete(begun, before.next_code())
