"""Login: tokens for the right password, and a refusal that tells nothing for any other."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import bcrypt
import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as pb
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.common.records import AuditEntry
from server.features.users.models import User
from server.features.users.password_hashes import Argon2id, Bcrypt, bare_pre_hash
from tests.core.auth.conftest import claims
from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.world import PASSWORD, Person, World, new_email

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
# Quick: what is promised here does not depend on the cost.
SMALL_ARGON2ID = Argon2id(memory_kib=64, passes=1)


def login(
    world: World, email: str, password: str = PASSWORD
) -> aio.UnaryUnaryCall[pb.LoginRequest, pb.LoginResponse]:
    return world.auth.Login(pb.LoginRequest(email=email, password=password))


async def execute(world: World, statement: str, **values: object) -> None:
    async with world.engine.begin() as connection:
        await connection.execute(text(statement), values)


async def test_the_right_password_gives_tokens_for_a_session(
    world: World, owner: Person, audited: Audited
) -> None:
    answer = await login(world, owner.email)
    assert (answer.token_type, answer.expires_in) == ("Bearer", 900)
    assert answer.user.id == owner.id
    assert answer.user.HasField("last_login_at")
    said = claims(answer.access_token)
    assert (said["sub"], said["kind"], said["aud"]) == (owner.id, "user", "portico")
    assert (said["tier"], "org" in said) == ("free", False)
    # Without the token of the device that signed in before, it is another one.
    assert await audited(str(said["sid"])) == ["login.succeeded", "session.unrecognized"]


async def test_an_address_may_be_written_in_any_case(world: World, owner: Person) -> None:
    assert (await login(world, owner.email.upper())).user.id == owner.id


async def test_a_wrong_password_and_an_unknown_address_look_the_same(
    world: World, owner: Person, refused: Refused
) -> None:
    wrong = await refused(
        login(world, owner.email, "not the password"), UNAUTHENTICATED, "INVALID_CREDENTIALS"
    )
    unknown = await refused(login(world, new_email()), UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert wrong == unknown


@pytest.mark.parametrize("fields", [{}, {"email": "no address", "password": "x"}])
async def test_a_malformed_request_is_refused(
    world: World, fields: dict[str, str], refused: Refused
) -> None:
    attempt = world.auth.Login(pb.LoginRequest(**fields))
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")


async def test_a_refused_sign_in_stands_in_the_audit_log(
    world: World, owner: Person, refused: Refused, audited: Audited
) -> None:
    before = await audited(owner.id)
    await refused(login(world, owner.email, "wrong"), UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert await audited(owner.id) == [*before, "login.failed"]


async def test_an_attempt_at_an_unknown_address_stands_there_without_the_address(
    world: World, refused: Refused
) -> None:
    email = new_email()
    metadata = (("x-request-id", email.partition("@")[0]),)
    attempt = world.auth.Login(pb.LoginRequest(email=email, password="x"), metadata=metadata)
    await refused(attempt, UNAUTHENTICATED, "INVALID_CREDENTIALS")
    query = select(AuditEntry).where(AuditEntry.request_id == metadata[0][1])
    async with AsyncSession(world.engine) as db:
        entry = (await db.scalars(query)).one()
    assert (entry.action, entry.target_id, entry.details) == ("login.failed", None, {})


async def test_a_suspended_person_hears_of_it_only_with_the_right_password(
    world: World, owner: Person, refused: Refused
) -> None:
    await execute(world, "update users set status = 'suspended' where id = :id", id=owner.id)
    wrong = login(world, owner.email, "wrong")
    await refused(wrong, UNAUTHENTICATED, "INVALID_CREDENTIALS")
    await refused(login(world, owner.email), DENIED, "ACCOUNT_SUSPENDED")


async def test_an_unverified_person_is_mailed_a_link_at_most_every_five_minutes(
    world: World, unverified: pb.RegisterResponse, refused: Refused
) -> None:
    email = unverified.user.email

    async def mails_after(later: timedelta) -> int:
        with world.clock.later(later):
            await refused(login(world, email), DENIED, "EMAIL_NOT_VERIFIED")
        return len(await world.mails(email, "verify_email"))

    assert await mails_after(timedelta(minutes=4)) == 1
    assert await mails_after(timedelta(minutes=6)) == 2
    assert await mails_after(timedelta(minutes=10)) == 2
    newest = await world.mail(email, "verify_email")
    await world.auth.VerifyEmail(pb.VerifyEmailRequest(token=newest["token"]))
    assert (await login(world, email)).user.email_verified


async def test_two_sign_ins_at_once_mail_one_link(
    world: World, unverified: pb.RegisterResponse
) -> None:
    email = unverified.user.email
    with world.clock.later(timedelta(minutes=6)):
        attempts = (login(world, email) for _ in range(3))
        await asyncio.gather(*attempts, return_exceptions=True)
    assert len(await world.mails(email, "verify_email")) == 2


async def test_a_wrong_password_mails_no_link(
    world: World, unverified: pb.RegisterResponse, refused: Refused
) -> None:
    with world.clock.later(timedelta(minutes=6)):
        attempt = login(world, unverified.user.email, "wrong")
        await refused(attempt, UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert len(await world.mails(unverified.user.email, "verify_email")) == 1


def as_0_1_stored_it(password: str = PASSWORD) -> str:
    return bcrypt.hashpw(bare_pre_hash(password), bcrypt.gensalt(4)).decode()


async def store_hash(world: World, person: Person, stored: str) -> None:
    await execute(
        world, "update users set password_hash = :hash where id = :id", hash=stored, id=person.id
    )


async def stored_hash(world: World, person: Person) -> str:
    async with world.engine.connect() as connection:
        query = text("select password_hash from users where id = :id")
        return str((await connection.execute(query, {"id": person.id})).scalar_one())


@pytest.mark.parametrize("form", ["0.1", "another cost", "argon2id"])
async def test_what_is_stored_otherwise_than_set_is_hashed_again_at_sign_in(
    world: World, owner: Person, refused: Refused, form: str
) -> None:
    algorithm = Bcrypt(5) if form == "another cost" else SMALL_ARGON2ID
    other = as_0_1_stored_it() if form == "0.1" else await world.passwords(algorithm).hash(PASSWORD)
    await store_hash(world, owner, other)
    await refused(login(world, owner.email, "wrong"), UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert await stored_hash(world, owner) == other
    await login(world, owner.email)
    now = await stored_hash(world, owner)
    assert now.startswith("k1$2b$04$")
    assert (await login(world, owner.email)).user.id == owner.id
    assert await stored_hash(world, owner) == now


async def test_who_signs_in_twice_at_once_is_hashed_again_once_and_refused_never(
    world: World, owner: Person
) -> None:
    await store_hash(world, owner, as_0_1_stored_it())
    answers, reasons = await race(*(login(world, owner.email) for _ in range(8)))
    assert (len(answers), reasons) == (8, [])
    assert (await stored_hash(world, owner)).startswith("k1$2b$04$")


async def test_a_sign_in_that_hashes_again_does_not_undo_a_change_of_the_password(
    world: World, owner: Person, refused: Refused
) -> None:
    await store_hash(world, owner, as_0_1_stored_it())
    new = "a different long sentence"
    change = users.ChangePasswordRequest(current_password=PASSWORD, new_password=new)
    changed, *_ = await asyncio.gather(
        world.users.ChangePassword(change, metadata=owner.metadata),
        *(login(world, owner.email) for _ in range(4)),
        return_exceptions=True,
    )
    assert isinstance(changed, users.ChangePasswordResponse), changed
    assert (await login(world, owner.email, new)).user.id == owner.id
    await refused(login(world, owner.email), UNAUTHENTICATED, "INVALID_CREDENTIALS")


async def test_a_bare_bcrypt_hash_of_the_password_is_none_of_ours(
    world: World, owner: Person, refused: Refused
) -> None:
    bare = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    await execute(
        world, "update users set password_hash = :hash where id = :id", hash=bare, id=owner.id
    )
    await refused(login(world, owner.email), UNAUTHENTICATED, "INVALID_CREDENTIALS")


async def test_a_person_works_first_in_the_organization_they_joined_first(
    world: World, owner: Person
) -> None:
    first = await world.new_organization(owner)
    await world.new_organization(owner)
    assert claims((await login(world, owner.email)).access_token)["org"] == first


async def test_a_new_session_works_where_the_last_one_did(world: World, owner: Person) -> None:
    await world.new_organization(owner)
    second = await world.new_organization(owner)
    await world.auth.SwitchOrganization(
        pb.SwitchOrganizationRequest(organization_id=second), metadata=owner.metadata
    )
    assert claims((await login(world, owner.email)).access_token)["org"] == second


async def test_nobody_works_in_an_organization_they_left(
    world: World, owner: Person, organization_id: str
) -> None:
    member = await world.new_member(organization_id, owner, "member")
    assert claims((await login(world, member.email)).access_token)["org"] == organization_id
    await world.organizations.RemoveMember(
        organizations.RemoveMemberRequest(organization_id=organization_id, user_id=member.id),
        metadata=owner.metadata,
    )
    assert "org" not in claims((await login(world, member.email)).access_token)


async def test_many_at_once_each_get_a_session(world: World, owner: Person) -> None:
    answers = await asyncio.gather(*(login(world, owner.email) for _ in range(8)))
    assert len({claims(answer.access_token)["sid"] for answer in answers}) == 8
    for answer in answers:
        metadata = (("authorization", f"Bearer {answer.access_token}"),)
        assert (await world.users.GetMe(users.GetMeRequest(), metadata=metadata)).user.id


async def test_an_address_that_could_not_be_registered_today_still_signs_in(
    world: World, owner: Person
) -> None:
    old = f"a..{new_email()}"
    async with AsyncSession(world.engine) as db, db.begin():
        await db.execute(update(User).where(User.id == UUID(owner.id)).values(email=old))
    assert (await login(world, old)).user.email == old


async def test_an_address_is_mailed_three_links_an_hour_at_the_most_and_the_answer_stays_the_same(
    world: World, unverified: pb.RegisterResponse, refused: Refused
) -> None:
    email = unverified.user.email
    for minutes in range(6, 60, 6):
        with world.clock.later(timedelta(minutes=minutes)):
            await refused(login(world, email), DENIED, "EMAIL_NOT_VERIFIED")
    assert len(await world.mails(email, "verify_email")) == 3
