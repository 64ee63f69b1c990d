"""A write that is repeated with its Idempotency-Key happens once."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message
from portico.auth.v1 import auth_service_pb2 as auth
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.organizations.v1 import organization_service_pb2 as pb
from portico.type.v1 import options_pb2
from portico.users.v1 import user_service_pb2 as users
from portico.webhooks.v1 import webhook_service_pb2 as webhooks
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from portico_contract import Idempotency, methods, services
from portico_kit.storage.idempotency import PURPOSE
from server.common.records import IdempotentAnswer
from tests.core.auth.conftest import claims
from tests.core.calls import answered, headers, race
from tests.core.conftest import Refused
from tests.core.users.conftest import administrator as administrator
from tests.core.users.conftest import appoint
from tests.core.world import PASSWORD, Person, World, new_email
from tests.support.cells import Cells

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
FAILED = grpc.StatusCode.FAILED_PRECONDITION

# Answers that hold a person's own data, which they may see as often as they like.
PERSONAL = {
    "portico.users.v1.User.email",
    "portico.organizations.v1.Member.email",
    "portico.organizations.v1.Invitation.email",
    "portico.auth.v1.Session.ip_address",
}
METHODS = [method for service in services() for method in methods(service)]


def keyed(person: Person, key: str = "") -> tuple[tuple[str, str], ...]:
    """What a call of this person carries, with an Idempotency-Key."""
    return (*person.metadata, ("idempotency-key", key or str(uuid4())))


def invite(organization_id: str, email: str = "") -> pb.CreateInvitationRequest:
    return pb.CreateInvitationRequest(
        organization_id=organization_id, email=email or new_email(), role="member"
    )


def create_key(organization_id: str, name: str = "a key") -> keys.CreateApiKeyRequest:
    return keys.CreateApiKeyRequest(
        organization_id=organization_id, name=name, scopes=["organization:read"]
    )


async def count_keys(world: World, owner: Person, organization_id: str) -> int:
    request = keys.ListApiKeysRequest(organization_id=organization_id)
    return len((await world.keys.ListApiKeys(request, metadata=owner.metadata)).api_keys)


async def same_again(send: Callable[[], Any]) -> None:
    """The second call gets the first answer, and is told so."""
    first = await send()
    again = send()
    assert await again == first
    assert (await headers(again))["idempotent-replayed"] == "true"


def sensitive_fields(descriptor: Any, seen: frozenset[str] = frozenset()) -> set[str]:
    """The sensitive fields of a message of ours, at any depth."""
    if descriptor.full_name in seen or not descriptor.full_name.startswith("portico."):
        return set()
    found = {
        field.full_name
        for field in descriptor.fields
        if field.GetOptions().Extensions[options_pb2.sensitive]
    }
    for field in descriptor.fields:
        if field.message_type is not None:
            found |= sensitive_fields(field.message_type, seen | {descriptor.full_name})
    return found


# What the contract says ------------------------------------------------------


def test_no_method_keeps_an_answer_with_a_credential() -> None:
    cells = Cells()
    for method in METHODS:
        with cells.cell(method.path):
            credentials = sensitive_fields(method.response.DESCRIPTOR) - PERSONAL
            assert not credentials or method.gives_credential or not method.takes_idempotency_key
    cells.hold()


def test_a_read_takes_no_key() -> None:
    assert {method.idempotency for method in METHODS if method.reads} == {Idempotency.NONE}


# The same again --------------------------------------------------------------


async def test_a_repeated_write_gets_the_first_answer(
    world: World, owner: Person, organization_id: str
) -> None:
    metadata, request = keyed(owner), invite(organization_id)
    first = await world.organizations.CreateInvitation(request, metadata=metadata)
    repeated = world.organizations.CreateInvitation(request, metadata=metadata)
    assert await repeated == first
    found = await headers(repeated)
    assert found["idempotent-replayed"] == "true"
    assert found["location"] == f"/api/v1/invitations/{first.invitation.id}"
    assert len(await world.mails(request.email, "invitation")) == 1


async def test_a_repeated_change_has_the_tag_that_it_had(world: World, owner: Person) -> None:
    metadata = keyed(owner)
    request = users.UpdateMeRequest(bio="Once.")
    first = await answered(world.users.UpdateMe(request, metadata=metadata))
    await world.users.UpdateMe(users.UpdateMeRequest(bio="Twice."), metadata=owner.metadata)
    again = await answered(world.users.UpdateMe(request, metadata=metadata))
    assert again["etag"] == first["etag"]


async def test_another_request_with_the_same_key_is_refused(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    metadata = keyed(owner)
    await world.organizations.CreateInvitation(invite(organization_id), metadata=metadata)
    other = world.organizations.CreateInvitation(invite(organization_id), metadata=metadata)
    await refused(other, INVALID, "IDEMPOTENCY_KEY_REUSED")


async def test_another_method_may_have_the_same_key(
    world: World, owner: Person, organization_id: str
) -> None:
    metadata = keyed(owner)
    await world.organizations.CreateInvitation(invite(organization_id), metadata=metadata)
    renamed = pb.UpdateOrganizationRequest(organization_id=organization_id, name="Renamed")
    answer = await world.organizations.UpdateOrganization(renamed, metadata=metadata)
    assert answer.organization.name == "Renamed"


async def test_of_many_at_once_one_happens_and_the_rest_wait_or_are_told(
    world: World, owner: Person, organization_id: str
) -> None:
    metadata, request = keyed(owner), invite(organization_id)
    answers, reasons = await race(
        *(world.organizations.CreateInvitation(request, metadata=metadata) for _ in range(8))
    )
    assert len({answer.invitation.id for answer in answers}) == 1
    assert set(reasons) <= {"IDEMPOTENCY_KEY_IN_USE"}
    assert len(await world.mails(request.email, "invitation")) == 1


async def test_two_callers_may_choose_the_same_key(
    world: World, owner: Person, organization_id: str, stranger: Person
) -> None:
    key = str(uuid4())
    request = pb.CreateOrganizationRequest(name="Twins")
    first = await world.organizations.CreateOrganization(request, metadata=keyed(owner, key))
    other = await world.organizations.CreateOrganization(request, metadata=keyed(stranger, key))
    assert first.organization.id != other.organization.id


async def test_a_refusal_is_not_kept(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    metadata = keyed(owner)
    taken = invite(organization_id, owner.email)
    attempt = world.organizations.CreateInvitation(taken, metadata=metadata)
    await refused(attempt, grpc.StatusCode.ALREADY_EXISTS, "ALREADY_MEMBER")
    await world.organizations.CreateInvitation(invite(organization_id), metadata=metadata)


async def test_after_a_day_the_key_is_free_again(
    world: World, owner: Person, organization_id: str
) -> None:
    metadata = keyed(owner)
    request = pb.CreateOrganizationRequest(name="Daily")
    first = await world.organizations.CreateOrganization(request, metadata=metadata)
    with world.clock.later(timedelta(hours=25)):
        later = (*(await world.sign_in(owner.email)).metadata, metadata[-1])
        second = await world.organizations.CreateOrganization(request, metadata=later)
        third = await world.organizations.CreateOrganization(request, metadata=later)
    assert second.organization.id != first.organization.id
    assert third == second


@pytest.mark.parametrize("key", ["x" * 256, "", "two words"])
async def test_a_malformed_key_is_refused(
    world: World, owner: Person, organization_id: str, key: str, refused: Refused
) -> None:
    metadata = (*owner.metadata, ("idempotency-key", key))
    call = world.organizations.CreateInvitation(invite(organization_id), metadata=metadata)
    found = await refused(call, INVALID, "VALIDATION_ERROR")
    assert found.fields == ("Idempotency-Key",)


# Only for who may have it now --------------------------------------------------


async def test_a_removed_member_gets_no_answer_of_before(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    admin = await world.new_member(organization_id, owner, "admin")
    key = (await world.new_key(organization_id, owner)).api_key.id
    metadata = keyed(admin)
    invitation = invite(organization_id)
    sends: list[tuple[Callable[[], Awaitable[Message]], str]] = [
        (
            lambda: world.organizations.CreateInvitation(invitation, metadata=metadata),
            "NOT_FOUND",
        ),
        (
            lambda: world.organizations.UpdateOrganization(
                pb.UpdateOrganizationRequest(organization_id=organization_id, name="Ours"),
                metadata=metadata,
            ),
            "NOT_FOUND",
        ),
        (
            lambda: world.keys.UpdateApiKey(
                keys.UpdateApiKeyRequest(api_key_id=key, name="renamed"), metadata=metadata
            ),
            "API_KEY_NOT_FOUND",
        ),
        (
            lambda: world.keys.RotateApiKey(
                keys.RotateApiKeyRequest(api_key_id=key), metadata=metadata
            ),
            "API_KEY_NOT_FOUND",
        ),
    ]
    for send, _ in sends:
        await send()
    await remove(world, organization_id, owner, admin)
    for send, reason in sends:
        await refused(send(), NOT_FOUND, reason)


async def test_a_demoted_member_gets_the_refusal_of_now(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    admin = await world.new_member(organization_id, owner, "admin")
    key = (await world.new_key(organization_id, owner)).api_key.id
    metadata = keyed(admin)

    def rename() -> Awaitable[Message]:
        request = keys.UpdateApiKeyRequest(api_key_id=key, name="renamed")
        return world.keys.UpdateApiKey(request, metadata=metadata)

    await rename()
    demoted = pb.UpdateMemberRequest(
        organization_id=organization_id, user_id=admin.id, role="viewer"
    )
    await world.organizations.UpdateMember(demoted, metadata=owner.metadata)
    await refused(rename(), DENIED, "PERMISSION_DENIED")


async def test_who_accepted_an_invitation_and_was_removed_sees_no_more_of_it(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    person = await world.new_person()
    await world.organizations.CreateInvitation(
        invite(organization_id, person.email), metadata=owner.metadata
    )
    token = (await world.mail(person.email, "invitation"))["token"]
    metadata = keyed(person)

    def accept() -> Awaitable[Message]:
        request = pb.AcceptInvitationRequest(token=token)
        return world.organizations.AcceptInvitation(request, metadata=metadata)

    await same_again(accept)
    await remove(world, organization_id, owner, person)
    await refused(accept(), FAILED, "INVITATION_ALREADY_USED")


async def test_a_suspended_account_gets_no_answer_of_before(
    world: World, owner: Person, administrator: Person, refused: Refused
) -> None:
    metadata = keyed(owner)
    request = pb.CreateOrganizationRequest(name="Before")
    await world.organizations.CreateOrganization(request, metadata=metadata)
    suspend = users.UpdateUserRequest(user_id=owner.id, status="suspended")
    await world.users.UpdateUser(suspend, metadata=administrator.metadata)
    again = world.organizations.CreateOrganization(request, metadata=metadata)
    await refused(again, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_revoked_key_gets_no_answer_of_before(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    made = await world.new_key(organization_id, owner, "organization:write")
    metadata = (*await world.key_metadata(made.secret), ("idempotency-key", str(uuid4())))
    request = pb.UpdateOrganizationRequest(organization_id=organization_id, name="By a key")
    await same_again(lambda: world.organizations.UpdateOrganization(request, metadata=metadata))
    revoke = keys.RevokeApiKeyRequest(api_key_id=made.api_key.id)
    await world.keys.RevokeApiKey(revoke, metadata=owner.metadata)
    again = world.organizations.UpdateOrganization(request, metadata=metadata)
    await refused(again, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_refused_repetition_changes_nothing(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    """Who made an organization and lost it, makes no second one by repeating the call."""
    founder = await world.new_person()
    metadata = keyed(founder)
    request = pb.CreateOrganizationRequest(name="Lost")
    made = await world.organizations.CreateOrganization(request, metadata=metadata)
    delete = pb.DeleteOrganizationRequest(organization_id=made.organization.id)
    await world.organizations.DeleteOrganization(delete, metadata=founder.metadata)
    again = world.organizations.CreateOrganization(request, metadata=metadata)
    await refused(again, NOT_FOUND, "NOT_FOUND")
    mine = await world.organizations.ListOrganizations(
        pb.ListOrganizationsRequest(), metadata=founder.metadata
    )
    assert list(mine.organizations) == []


# What takes the caller's own access away ---------------------------------------


async def remove(world: World, organization_id: str, by: Person, whom: Person) -> None:
    request = pb.RemoveMemberRequest(organization_id=organization_id, user_id=whom.id)
    await world.organizations.RemoveMember(request, metadata=by.metadata)


def end_own(person: Person) -> auth.RevokeSessionRequest:
    return auth.RevokeSessionRequest(session_id=str(claims(person.access_token)["sid"]))


async def test_ending_ones_own_session_repeated_answers_as_the_first_time(
    world: World, owner: Person
) -> None:
    metadata = keyed(owner)
    await same_again(lambda: world.auth.RevokeSession(end_own(owner), metadata=metadata))


async def test_ending_ones_own_session_repeated_answers_nobody_else(
    world: World, owner: Person, stranger: Person, refused: Refused
) -> None:
    key = str(uuid4())
    request = end_own(owner)
    await world.auth.RevokeSession(request, metadata=keyed(owner, key))
    other_key = world.auth.RevokeSession(request, metadata=keyed(owner))
    await refused(other_key, UNAUTHENTICATED, "UNAUTHENTICATED")
    no_key = world.auth.RevokeSession(request, metadata=owner.metadata)
    await refused(no_key, UNAUTHENTICATED, "UNAUTHENTICATED")
    malformed = world.auth.RevokeSession(request, metadata=keyed(owner, "two words"))
    await refused(malformed, UNAUTHENTICATED, "UNAUTHENTICATED")
    forged = (("authorization", owner.metadata[0][1][:-4] + "AAAA"), ("idempotency-key", key))
    await refused(
        world.auth.RevokeSession(request, metadata=forged), UNAUTHENTICATED, "UNAUTHENTICATED"
    )
    await world.auth.RevokeSession(end_own(stranger), metadata=stranger.metadata)
    theirs = world.auth.RevokeSession(end_own(stranger), metadata=keyed(stranger, key))
    await refused(theirs, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_ending_ones_own_session_is_not_repeated_with_an_expired_token(
    world: World, owner: Person, refused: Refused
) -> None:
    metadata = keyed(owner)
    await world.auth.RevokeSession(end_own(owner), metadata=metadata)
    with world.clock.later(timedelta(minutes=16)):
        again = world.auth.RevokeSession(end_own(owner), metadata=metadata)
        await refused(again, UNAUTHENTICATED, "TOKEN_EXPIRED")


async def test_an_ended_session_gets_nothing_but_the_answer_that_ended_it(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    metadata = keyed(owner)
    request = invite(organization_id)
    await world.organizations.CreateInvitation(request, metadata=metadata)
    await world.auth.RevokeSession(end_own(owner), metadata=metadata)
    again = world.organizations.CreateInvitation(request, metadata=metadata)
    await refused(again, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_ending_another_session_is_not_repeated_to_who_signed_out_since(
    world: World, owner: Person, refused: Refused
) -> None:
    await world.sign_in(owner.email)
    listed = await world.auth.ListSessions(auth.ListSessionsRequest(), metadata=owner.metadata)
    other = next(one.id for one in listed.sessions if not one.current)
    request = auth.RevokeSessionRequest(session_id=other)
    metadata = keyed(owner)
    await same_again(lambda: world.auth.RevokeSession(request, metadata=metadata))
    await world.auth.Logout(auth.LogoutRequest(), metadata=owner.metadata)
    again = world.auth.RevokeSession(request, metadata=metadata)
    await refused(again, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_deleting_an_organization_repeated_answers_as_the_first_time(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    metadata = keyed(owner)
    request = pb.DeleteOrganizationRequest(organization_id=organization_id)
    await same_again(lambda: world.organizations.DeleteOrganization(request, metadata=metadata))
    await world.auth.Logout(auth.LogoutRequest(), metadata=owner.metadata)
    again = world.organizations.DeleteOrganization(request, metadata=metadata)
    await refused(again, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_deleting_an_organization_is_answered_to_no_other_owner_of_it(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    other = await world.new_member(organization_id, owner, "owner")
    key = str(uuid4())
    request = pb.DeleteOrganizationRequest(organization_id=organization_id)
    await world.organizations.DeleteOrganization(request, metadata=keyed(owner, key))
    attempt = world.organizations.DeleteOrganization(request, metadata=keyed(other, key))
    await refused(attempt, NOT_FOUND, "NOT_FOUND")


async def test_leaving_repeated_answers_as_the_first_time(
    world: World, owner: Person, organization_id: str
) -> None:
    admin = await world.new_member(organization_id, owner, "admin")
    request = pb.RemoveMemberRequest(organization_id=organization_id, user_id=admin.id)
    metadata = keyed(admin)
    await same_again(lambda: world.organizations.RemoveMember(request, metadata=metadata))


async def test_removing_another_is_not_repeated_to_who_was_removed_since(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    admin = await world.new_member(organization_id, owner, "admin")
    viewer = await world.new_member(organization_id, owner, "viewer")
    request = pb.RemoveMemberRequest(organization_id=organization_id, user_id=viewer.id)
    metadata = keyed(admin)
    await same_again(lambda: world.organizations.RemoveMember(request, metadata=metadata))
    await remove(world, organization_id, owner, admin)
    again = world.organizations.RemoveMember(request, metadata=metadata)
    await refused(again, NOT_FOUND, "NOT_FOUND")


async def test_giving_up_ones_own_role_repeated_answers_as_the_first_time(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    admin = await world.new_member(organization_id, owner, "admin")
    request = pb.UpdateMemberRequest(
        organization_id=organization_id, user_id=admin.id, role="viewer"
    )
    metadata = keyed(admin)
    await same_again(lambda: world.organizations.UpdateMember(request, metadata=metadata))
    # It took the role, not the membership.
    await remove(world, organization_id, owner, admin)
    again = world.organizations.UpdateMember(request, metadata=metadata)
    await refused(again, NOT_FOUND, "NOT_FOUND")


@pytest.fixture
async def second_administrator(world: World, administrator: Person) -> Person:
    person = await world.new_person()
    await appoint(world, person)
    return person


async def test_deleting_ones_own_account_repeated_answers_as_the_first_time(
    world: World, second_administrator: Person
) -> None:
    request = users.DeleteUserRequest(user_id=second_administrator.id)
    metadata = keyed(second_administrator)
    await same_again(lambda: world.users.DeleteUser(request, metadata=metadata))


async def test_deleting_another_account_is_not_repeated_to_who_administers_no_more(
    world: World, administrator: Person, second_administrator: Person, refused: Refused
) -> None:
    somebody = await world.new_person()
    request = users.DeleteUserRequest(user_id=somebody.id)
    metadata = keyed(second_administrator)
    await same_again(lambda: world.users.DeleteUser(request, metadata=metadata))
    demote = users.UpdateUserRequest(user_id=second_administrator.id, role="user")
    await world.users.UpdateUser(demote, metadata=administrator.metadata)
    again = world.users.DeleteUser(request, metadata=metadata)
    await refused(again, DENIED, "PERMISSION_DENIED")


async def test_giving_up_the_platform_repeated_answers_as_the_first_time(
    world: World, second_administrator: Person
) -> None:
    request = users.UpdateUserRequest(user_id=second_administrator.id, role="user")
    metadata = keyed(second_administrator)
    await same_again(lambda: world.users.UpdateUser(request, metadata=metadata))


# Credentials ------------------------------------------------------------------


async def test_a_repeated_creation_of_a_key_makes_no_second_one_and_shows_no_secret(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    metadata = keyed(owner)
    first = await world.keys.CreateApiKey(create_key(organization_id), metadata=metadata)
    repeated = world.keys.CreateApiKey(create_key(organization_id), metadata=metadata)
    found = await refused(repeated, FAILED, "CREDENTIAL_NOT_REPLAYED")
    assert found.metadata == {"api_key_id": first.api_key.id}
    assert found.fields == ("Idempotency-Key",)
    assert await count_keys(world, owner, organization_id) == 1
    other = world.keys.CreateApiKey(create_key(organization_id, "another"), metadata=metadata)
    await refused(other, INVALID, "IDEMPOTENCY_KEY_REUSED")


async def test_a_repeated_rotation_leaves_the_secret_as_it_is(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    key = await world.new_key(organization_id, owner)
    request = keys.RotateApiKeyRequest(api_key_id=key.api_key.id)
    metadata = keyed(owner)
    rotated = await world.keys.RotateApiKey(request, metadata=metadata)
    repeated = world.keys.RotateApiKey(request, metadata=metadata)
    found = await refused(repeated, FAILED, "CREDENTIAL_NOT_REPLAYED")
    assert found.metadata == {"api_key_id": key.api_key.id}
    assert await world.key_metadata(rotated.secret)


async def test_a_repeated_creation_of_a_webhook_names_the_first_one(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    request = webhooks.CreateWebhookRequest(
        organization_id=organization_id, url="https://example.com/hook", event_types=["*"]
    )
    metadata = keyed(owner)
    first = await world.webhooks.CreateWebhook(request, metadata=metadata)
    repeated = world.webhooks.CreateWebhook(request, metadata=metadata)
    found = await refused(repeated, FAILED, "CREDENTIAL_NOT_REPLAYED")
    assert found.metadata == {"webhook_id": first.webhook.id}


async def test_no_credential_is_kept(world: World, owner: Person, organization_id: str) -> None:
    await forget_all(world)
    first = await world.keys.CreateApiKey(create_key(organization_id), metadata=keyed(owner))
    login = auth.LoginRequest(email=owner.email, password=PASSWORD)
    await world.auth.Login(login, metadata=(("idempotency-key", "k"),))
    [kept] = await all_kept(world)
    opened = world.secrets.unseal(PURPOSE, kept.sealed_answer)
    assert first.secret.encode() not in opened
    assert first.api_key.id.encode() in opened


async def test_each_sign_in_stands_alone(world: World, owner: Person) -> None:
    """A key with a sign-in, a refresh or a change of organization means nothing."""
    metadata = (("idempotency-key", "k"),)
    login = auth.LoginRequest(email=owner.email, password=PASSWORD)
    first = await world.auth.Login(login, metadata=metadata)
    second = await world.auth.Login(login, metadata=metadata)
    assert first.access_token != second.access_token
    refresh = auth.RefreshTokenRequest(refresh_token=first.refresh_token)
    pairs = [await world.auth.RefreshToken(refresh, metadata=metadata) for _ in range(2)]
    assert pairs[0].access_token != pairs[1].access_token
    assert await all_answers(world, "Login") == await all_answers(world, "RefreshToken") == []


# Strangers ---------------------------------------------------------------------


def register(email: str = "") -> auth.RegisterRequest:
    return auth.RegisterRequest(
        email=email or new_email(), password=PASSWORD, display_name="Ada", accepted_terms=True
    )


async def test_two_strangers_with_one_key_do_not_meet(world: World) -> None:
    metadata = (("idempotency-key", "1"),)
    one = await world.auth.Register(register(), metadata=metadata)
    other = await world.auth.Register(register(), metadata=metadata)
    assert one.user.id != other.user.id


async def test_a_stranger_who_repeats_all_of_it_gets_the_first_answer(world: World) -> None:
    metadata, request = (("idempotency-key", str(uuid4())),), register()
    await same_again(lambda: world.auth.Register(request, metadata=metadata))
    assert len(await world.mails(request.email, "verify_email")) == 1


async def test_a_stranger_who_knows_less_than_the_password_gets_nothing(
    world: World, refused: Refused
) -> None:
    metadata, request = (("idempotency-key", "1"),), register()
    await world.auth.Register(request, metadata=metadata)
    request.password = "another sentence to sign in"
    attempt = world.auth.Register(request, metadata=metadata)
    await refused(attempt, grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN")


async def test_a_link_used_twice_with_one_key_answers_as_the_first_time(world: World) -> None:
    request = register()
    await world.auth.Register(request)
    token = (await world.mail(request.email, "verify_email"))["token"]
    metadata = (("idempotency-key", str(uuid4())),)
    verify = auth.VerifyEmailRequest(token=token)
    await same_again(lambda: world.auth.VerifyEmail(verify, metadata=metadata))


async def test_nothing_of_a_request_can_be_guessed_from_what_is_kept(world: World) -> None:
    """A plain digest of a request with a password would be a fast hash of the password."""
    await forget_all(world)
    request = register()
    await world.auth.Register(request, metadata=(("idempotency-key", "1"),))
    [kept] = await all_kept(world)
    content = request.SerializeToString(deterministic=True)
    assert hashlib.sha256(content).digest() not in (kept.request_digest, kept.scope)


async def all_kept(world: World) -> list[IdempotentAnswer]:
    async with AsyncSession(world.engine) as db:
        return list(await db.scalars(select(IdempotentAnswer)))


async def all_answers(world: World, method: str) -> list[IdempotentAnswer]:
    return [kept for kept in await all_kept(world) if kept.method.endswith(f"/{method}")]


async def forget_all(world: World) -> None:
    async with world.engine.begin() as connection:
        await connection.execute(text("delete from idempotency_keys"))
