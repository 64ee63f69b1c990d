"""What happens to people, as events for the operator's webhooks: each once, and whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from portico_contract import as_json
from server.common.records import AuditEntry
from tests.core.auth.conftest import claims, registration
from tests.core.conftest import Audited, Refused
from tests.core.operator import Operator, ends, events_about, types_about
from tests.core.operator import operator as operator
from tests.core.operator import world as world
from tests.core.records import event_types
from tests.core.users.conftest import administrator as administrator
from tests.core.users.conftest import new_account
from tests.core.world import PASSWORD, Person, World, new_email

NEW_PASSWORD = "a different long sentence"
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def session_of(person: Person) -> str:
    return str(claims(person.access_token)["sid"])


async def log_out(world: World, person: Person) -> None:
    await world.auth.Logout(auth.LogoutRequest(), metadata=person.metadata)


async def revoke(world: World, person: Person, session_id: str) -> None:
    request = auth.RevokeSessionRequest(session_id=session_id)
    await world.auth.RevokeSession(request, metadata=person.metadata)


async def change_password(world: World, person: Person) -> None:
    request = users.ChangePasswordRequest(
        current_password=person.password, new_password=NEW_PASSWORD
    )
    await world.users.ChangePassword(request, metadata=person.metadata)


async def reset_password(world: World, email: str, password: str = NEW_PASSWORD) -> None:
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=email))
    token = (await world.mail(email, "reset_password"))["token"]
    await world.auth.ResetPassword(auth.ResetPasswordRequest(token=token, new_password=password))


async def update_me(world: World, person: Person, name: str) -> None:
    request = users.UpdateMeRequest(display_name=name)
    await world.users.UpdateMe(request, metadata=person.metadata)


async def suspend(world: World, administrator: Person, user_id: str) -> None:
    request = users.UpdateUserRequest(user_id=user_id, status="suspended")
    await world.users.UpdateUser(request, metadata=administrator.metadata)


async def delete(world: World, administrator: Person, user_id: str) -> None:
    request = users.DeleteUserRequest(user_id=user_id)
    await world.users.DeleteUser(request, metadata=administrator.metadata)


# Sessions ------------------------------------------------------------------------


async def test_a_sign_in_is_one_event_that_says_whose_and_from_where(
    world: World, operator: Operator, owner: Person, audited: Audited
) -> None:
    (event,) = await events_about(world, owner.id)
    assert (event.type, event.platform) == ("session.created", True)
    assert str(event.organization_id) == operator.organization_id
    assert (event.data["id"], event.data["userId"]) == (session_of(owner), owner.id)
    assert event.data["ipAddress"] == "127.0.0.1"
    assert "grpc" in event.data["userAgent"]
    assert "endedAt" not in event.data
    assert event.data["endReason"] == ""
    # The workers are woken for it; the audit log calls it as before, without the address.
    assert "portico.events.fan_out" in world.notifier.tasks
    assert await audited(session_of(owner)) == ["login.succeeded"]
    query = select(AuditEntry.details).where(AuditEntry.action == "login.succeeded")
    async with AsyncSession(world.engine) as db:
        details = (await db.scalars(query.order_by(AuditEntry.id.desc()).limit(1))).one()
    assert (details["userId"], details["ipAddress"]) == (owner.id, "[redacted]")


async def test_a_refused_sign_in_is_no_event(
    world: World, owner: Person, administrator: Person, refused: Refused
) -> None:
    before = await types_about(world, owner.id)
    wrong = world.auth.Login(auth.LoginRequest(email=owner.email, password="not the one"))
    await refused(wrong, UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert await types_about(world, owner.id) == before
    await suspend(world, administrator, owner.id)
    right = world.auth.Login(auth.LoginRequest(email=owner.email, password=PASSWORD))
    await refused(right, grpc.StatusCode.PERMISSION_DENIED, "ACCOUNT_SUSPENDED")
    assert (await types_about(world, owner.id)).count("session.created") == 1


async def test_a_sign_in_with_an_unverified_address_is_no_event(
    world: World, unverified: auth.RegisterResponse, refused: Refused
) -> None:
    login = auth.LoginRequest(email=unverified.user.email, password=PASSWORD)
    await refused(world.auth.Login(login), grpc.StatusCode.PERMISSION_DENIED, "EMAIL_NOT_VERIFIED")
    assert await types_about(world, unverified.user.id) == ["user.registered"]


async def test_a_refresh_is_no_event(world: World, owner: Person) -> None:
    await world.auth.RefreshToken(auth.RefreshTokenRequest(refresh_token=owner.refresh_token))
    assert await types_about(world, owner.id) == ["session.created"]


async def test_signing_out_ends_one_session(world: World, owner: Person) -> None:
    other = await world.sign_in(owner.email)
    await log_out(world, owner)
    assert await ends(world, owner.id) == {session_of(owner): ["signed_out"]}
    (*_, event) = await events_about(world, owner.id)
    assert (event.data["userId"], bool(event.data["endedAt"])) == (owner.id, True)
    await revoke(world, other, session_of(other))
    assert (await ends(world, owner.id))[session_of(other)] == ["revoked"]


async def test_a_stolen_refresh_token_ends_the_session_once(
    world: World, owner: Person, refused: Refused, audited: Audited
) -> None:
    used = auth.RefreshTokenRequest(refresh_token=owner.refresh_token)
    successor = (await world.auth.RefreshToken(used)).refresh_token
    await world.auth.RefreshToken(auth.RefreshTokenRequest(refresh_token=successor))
    await refused(world.auth.RefreshToken(used), UNAUTHENTICATED, "REFRESH_TOKEN_REUSED")
    await refused(world.auth.RefreshToken(used), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    assert await ends(world, owner.id) == {session_of(owner): ["refresh_token_reused"]}
    assert (await audited(session_of(owner)))[1:] == ["session.refresh_token_reused"]


async def test_a_change_of_password_ends_all_other_sessions(
    world: World, owner: Person, audited: Audited
) -> None:
    others = [await world.sign_in(owner.email) for _ in range(3)]
    await change_password(world, owner)
    assert await ends(world, owner.id) == {session_of(o): ["password_changed"] for o in others}
    first, *_, last = await audited(session_of(others[0]))
    assert (first, last) == ("login.succeeded", "session.ended")


Ends = Callable[[World, Person, Person], Awaitable[None]]
ENDS: dict[str, Ends] = {
    "password_reset": lambda world, administrator, person: reset_password(world, person.email),
    "user_suspended": lambda world, administrator, person: suspend(world, administrator, person.id),
    "user_deleted": lambda world, administrator, person: delete(world, administrator, person.id),
}


@pytest.mark.parametrize("reason", list(ENDS))
async def test_what_ends_all_sessions_is_one_event_for_each_that_was_still_there(
    world: World, owner: Person, administrator: Person, reason: str
) -> None:
    """Neither for one that was ended before nor for one that has expired."""
    signed_out = await world.sign_in(owner.email)
    await log_out(world, signed_out)
    with world.clock.later(timedelta(days=8)):
        late = await world.sign_in(owner.email)
        admin = await world.sign_in(administrator.email)
        await ENDS[reason](world, admin, late)
    assert await ends(world, owner.id) == {
        session_of(signed_out): ["signed_out"],
        session_of(late): [reason],
    }


async def test_an_end_shows_the_session_as_its_list_does(world: World, owner: Person) -> None:
    """Also where the database writes it, because they are many."""
    organization_id = await world.new_organization(owner)
    first, second = [await world.sign_in(owner.email) for _ in range(2)]
    listed = await world.auth.ListSessions(auth.ListSessionsRequest(), metadata=owner.metadata)
    shown = {one.id: as_json(one) for one in listed.sessions}
    assert shown[session_of(first)]["organizationId"] == organization_id
    await log_out(world, first)
    await change_password(world, owner)
    told = [e.data for e in await events_about(world, owner.id) if e.type == "session.ended"]
    assert {one["id"] for one in told} == {session_of(first), session_of(second)}
    for data in told:
        end = {"endedAt": data["endedAt"], "endReason": data["endReason"]}
        assert comparable(data) == comparable({**shown[data["id"]], **end})


def comparable(data: dict[str, Any]) -> dict[str, Any]:
    """With its times as moments, which can be written in more than one way."""
    return {
        name: datetime.fromisoformat(value) if name.endswith("At") else value
        for name, value in data.items()
    }


async def test_thousands_of_sessions_do_not_keep_their_owner_from_a_reset(
    world: World, owner: Person
) -> None:
    async with world.engine.begin() as connection:
        await connection.execute(
            text(
                "insert into sessions (id, user_id, user_agent, ip_address, created_at,"
                " last_used_at, expires_at, absolute_expires_at)"
                " select gen_random_uuid(), user_id, user_agent, ip_address, created_at,"
                " last_used_at, expires_at, absolute_expires_at"
                " from sessions, generate_series(1, 3000) where user_id = :id"
            ),
            {"id": owner.id},
        )
    started = time.monotonic()
    await reset_password(world, owner.email)
    assert time.monotonic() - started < 10
    found = await ends(world, owner.id)
    assert len(found) == 3001
    assert set(map(tuple, found.values())) == {("password_reset",)}


async def test_who_ends_the_sessions_of_a_reset_is_the_person(world: World, owner: Person) -> None:
    await reset_password(world, owner.email)
    query = select(AuditEntry.actor_kind, AuditEntry.actor_id).where(
        AuditEntry.action == "session.ended", AuditEntry.target_id == session_of(owner)
    )
    async with AsyncSession(world.engine) as db:
        kind, actor_id = (await db.execute(query)).one()
    assert (kind, str(actor_id)) == ("user", owner.id)


async def test_whoever_ends_a_session_at_the_same_moment_it_ends_once(
    world: World, owner: Person
) -> None:
    victims = [await world.sign_in(owner.email) for _ in range(4)]
    attempts = [revoke(world, owner, session_of(one)) for one in victims for _ in range(2)]
    attempts += [log_out(world, one) for one in victims]
    await asyncio.gather(change_password(world, owner), *attempts, return_exceptions=True)
    found = await ends(world, owner.id)
    assert set(found) == {session_of(one) for one in victims}
    assert all(len(reasons) == 1 for reasons in found.values())


@pytest.mark.parametrize("reason", list(ENDS))
async def test_a_sign_in_at_the_same_moment_comes_before_the_end_or_not_at_all(
    world: World, owner: Person, administrator: Person, reason: str
) -> None:
    """Every session that began is one that ended."""
    login = auth.LoginRequest(email=owner.email, password=PASSWORD)
    await asyncio.gather(
        *(world.auth.Login(login) for _ in range(6)),
        ENDS[reason](world, administrator, owner),
        *(world.auth.Login(login) for _ in range(6)),
        return_exceptions=True,
    )
    events = await events_about(world, owner.id)
    began = {event.data["id"] for event in events if event.type == "session.created"}
    assert await ends(world, owner.id) == {session_id: [reason] for session_id in began}


async def test_a_repetition_with_the_same_key_is_no_second_event(
    world: World, owner: Person
) -> None:
    key = ("idempotency-key", str(uuid4()))
    for _ in range(2):
        await world.auth.Logout(auth.LogoutRequest(), metadata=(*owner.metadata, key))
    assert await ends(world, owner.id) == {session_of(owner): ["signed_out"]}


async def test_a_session_that_expires_is_no_event(world: World, owner: Person) -> None:
    with world.clock.later(timedelta(days=8)):
        await reset_password(world, owner.email)
    assert await ends(world, owner.id) == {}


# Accounts ------------------------------------------------------------------------


async def test_registering_and_verifying_are_an_event_each(world: World) -> None:
    email = new_email()
    user = (await world.auth.Register(registration(email))).user
    first = (await world.mail(email, "verify_email"))["token"]
    await world.auth.VerifyEmail(auth.VerifyEmailRequest(token=first))
    assert await types_about(world, user.id) == ["user.registered", "user.email_verified"]
    registered, verified = await events_about(world, user.id)
    assert (registered.data["email"], registered.data["emailVerified"]) == (email, False)
    assert verified.data["emailVerified"] is True
    assert "hash" not in str(registered.data).lower()


async def test_an_address_that_is_verified_by_two_mails_is_one_event(world: World) -> None:
    email = new_email()
    user = (await world.auth.Register(registration(email))).user
    with world.clock.later(timedelta(minutes=6)):
        # A sign-in mails another link.
        login = auth.LoginRequest(email=email, password=PASSWORD)
        await asyncio.gather(world.auth.Login(login), return_exceptions=True)
        for mail in await world.mails(email, "verify_email"):
            await world.auth.VerifyEmail(auth.VerifyEmailRequest(token=mail["token"]))
    assert len(await world.mails(email, "verify_email")) == 2
    assert (await types_about(world, user.id)).count("user.email_verified") == 1


async def test_a_profile_that_changes_is_an_event_and_one_that_does_not_is_none(
    world: World, owner: Person
) -> None:
    for name in ("Grace", "Grace"):
        await update_me(world, owner, name)
    types = await types_about(world, owner.id)
    assert types == ["session.created", "user.updated"]
    assert (await events_about(world, owner.id))[-1].data["displayName"] == "Grace"


async def test_both_ways_to_a_new_password_are_the_same_event(
    world: World, owner: Person, audited: Audited
) -> None:
    await change_password(world, owner)
    await reset_password(world, owner.email, f"{NEW_PASSWORD} again")
    types = await types_about(world, owner.id)
    assert types.count("user.password_changed") == 2
    assert "user.email_verified" not in types
    changed = [e for e in await events_about(world, owner.id) if e.type == "user.password_changed"]
    assert {one.data["email"] for one in changed} == {owner.email}
    assert NEW_PASSWORD not in str([one.data for one in changed])
    actions = await audited(owner.id)
    assert "user.password_changed" in actions
    assert "user.password_reset" in actions


async def test_a_reset_shows_the_address_and_that_is_an_event_too(
    world: World, unverified: auth.RegisterResponse, audited: Audited
) -> None:
    await reset_password(world, unverified.user.email)
    assert await types_about(world, unverified.user.id) == [
        "user.registered",
        "user.password_changed",
        "user.email_verified",
    ]
    assert (await audited(unverified.user.id))[-1] == "user.email_verified"


async def test_what_an_administrator_does_to_an_account_is_an_event(
    world: World, administrator: Person
) -> None:
    user = (await new_account(world, administrator)).user
    await suspend(world, administrator, user.id)
    await delete(world, administrator, user.id)
    assert await types_about(world, user.id) == ["user.created", "user.updated", "user.deleted"]
    created, suspended, _ = await events_about(world, user.id)
    assert (created.data["email"], suspended.data["status"]) == (user.email, "suspended")


async def test_what_is_refused_is_no_event(
    world: World, owner: Person, administrator: Person, refused: Refused
) -> None:
    taken = world.auth.Register(registration(owner.email))
    await refused(taken, grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN")
    await world.new_organization(owner)
    before = await types_about(world, owner.id)
    request = users.DeleteUserRequest(user_id=owner.id)
    attempt = world.users.DeleteUser(request, metadata=administrator.metadata)
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "USER_IS_LAST_OWNER")
    assert await types_about(world, owner.id) == before


async def test_the_organizations_of_a_person_hear_nothing_of_it(
    world: World, operator: Operator, owner: Person, administrator: Person
) -> None:
    """Nor does the operator's hear of what belongs to another organization."""
    organization_id = await world.new_organization(owner)
    member = await world.new_member(organization_id, owner, "member")
    await world.auth.SwitchOrganization(
        auth.SwitchOrganizationRequest(organization_id=organization_id), metadata=member.metadata
    )
    await update_me(world, member, "Grace")
    await suspend(world, administrator, member.id)
    await delete(world, administrator, member.id)
    found = await event_types(world, organization_id)
    assert {one.partition(".")[0] for one in found} == {"organization", "invitation", "member"}
    about = await events_about(world, member.id)
    assert {str(one.organization_id) for one in about} == {operator.organization_id}
    theirs = set(await event_types(world, operator.organization_id))
    assert {one.partition(".")[0] for one in theirs} <= {"organization", "user", "session"}
