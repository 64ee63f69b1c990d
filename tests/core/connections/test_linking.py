"""Whose account somebody gets who has signed in at a provider."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.connections.v1 import identity_service_pb2 as identities
from portico.connections.v1.identity_service_pb2_grpc import IdentityServiceStub
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import text

from tests.core.conftest import Audited, Refused
from tests.core.connections.front_end import (
    FrontEnd,
    Somebody,
    new_platform_connection,
    signed_in,
)
from tests.core.connections.provider import GitHub, Provider
from tests.core.world import PASSWORD, Person, World, new_email

NOT_LINKED = (grpc.StatusCode.FAILED_PRECONDITION, "IDENTITY_NOT_LINKED")
DENIED = grpc.StatusCode.PERMISSION_DENIED


async def register(world: World, email: str) -> None:
    """An account whose address nobody has verified."""
    request = auth.RegisterRequest(
        email=email, password=PASSWORD, display_name="Mallory", accepted_terms=True
    )
    await world.auth.Register(request)


async def identities_of(world: World, person: Person) -> list[identities.Identity]:
    request = identities.ListIdentitiesRequest()
    stub = IdentityServiceStub(world.channel)
    return list((await stub.ListIdentities(request, metadata=person.metadata)).identities)


async def unlink(world: World, person: Person, identity_id: str) -> None:
    request = identities.UnlinkIdentityRequest(identity_id=identity_id)
    await IdentityServiceStub(world.channel).UnlinkIdentity(request, metadata=person.metadata)


async def test_a_trusted_provider_joins_a_verified_account_and_the_person_is_mailed(
    world: World,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    somebody_else: Somebody,
    audited: Audited,
) -> None:
    ada = await world.new_person(somebody_else.email)
    answer = await front_end.sign_in_at(provider, connection_id)
    assert answer.user.id == ada.id
    assert (await world.mail(ada.email, "identity_linked"))["provider_name"] == "Example"
    assert "user.identity_linked" in await audited(ada.id)
    # The password stays.
    assert await world.sign_in(ada.email)


async def test_an_address_in_other_letters_is_the_same(
    world: World, front_end: FrontEnd, provider: Provider, connection_id: str
) -> None:
    ada = await world.new_person(new_email())
    provider.person["email"] = ada.email.upper()
    assert (await front_end.sign_in_at(provider, connection_id)).user.id == ada.id


UNTRUSTED: dict[str, dict[str, Any]] = {
    "not verified": {"email_verified": False},
    "does not say": {"email_verified": None},
    "says something else": {"email_verified": 1},
}


@pytest.mark.parametrize("what", UNTRUSTED)
async def test_an_unverified_address_joins_no_account(
    what: str,
    world: World,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    somebody_else: Somebody,
    refused: Refused,
) -> None:
    await world.new_person(somebody_else.email)
    provider.person = somebody_else.claims(**UNTRUSTED[what])
    await refused(front_end.sign_in_at(provider, connection_id), *NOT_LINKED)


async def test_a_provider_that_is_not_trusted_for_the_domain_joins_no_account(
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    provider: Provider,
    somebody_else: Somebody,
    refused: Refused,
) -> None:
    await world.new_person(somebody_else.email)
    connection_id = await new_platform_connection(
        world, administrator, provider.issuer, trusted_domains=["ample.com", "other.example"]
    )
    await refused(front_end.sign_in_at(provider, connection_id), *NOT_LINKED)


async def test_without_trust_the_person_signs_in_first_and_links(
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    provider: Provider,
    somebody_else: Somebody,
) -> None:
    ada = await world.new_person(somebody_else.email)
    connection_id = await new_platform_connection(
        world, administrator, provider.issuer, trusted_domains=[]
    )
    linked = await front_end.link(provider, connection_id, ada)
    assert (linked.purpose, linked.identity.user_id) == ("link", ada.id)
    assert not linked.access_token
    assert await world.mail(ada.email, "identity_linked")
    assert (await front_end.sign_in_at(provider, connection_id)).user.id == ada.id


async def test_an_account_that_nobody_has_verified_loses_what_its_maker_set(
    world: World,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    somebody_else: Somebody,
    refused: Refused,
) -> None:
    """Account pre-hijacking: somebody has registered the address of the victim before."""
    await register(world, somebody_else.email)
    victim = signed_in(await front_end.sign_in_at(provider, connection_id))
    me = await world.users.GetMe(users.GetMeRequest(), metadata=victim.metadata)
    assert me.user.display_name == "Grace"
    assert me.user.email_verified
    wrong = world.sign_in(somebody_else.email)
    await refused(wrong, grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert await world.mail(somebody_else.email, "account_claimed")


async def test_without_trust_a_new_account_is_verified_by_mail(
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    provider: Provider,
    somebody_else: Somebody,
    refused: Refused,
) -> None:
    connection_id = await new_platform_connection(
        world, administrator, provider.issuer, trusted_domains=[]
    )
    unverified = (DENIED, "EMAIL_NOT_VERIFIED")
    await refused(front_end.sign_in_at(provider, connection_id), *unverified)
    token = (await world.mail(somebody_else.email, "verify_email"))["token"]
    await world.auth.VerifyEmail(auth.VerifyEmailRequest(token=token))
    answer = await front_end.sign_in_at(provider, connection_id)
    assert answer.user.email == somebody_else.email


async def test_whoever_resets_the_password_of_an_unverified_account_has_it_alone(
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    provider: Provider,
    somebody_else: Somebody,
    refused: Refused,
) -> None:
    """A stranger's account at a provider is linked to the address of the victim."""
    connection_id = await new_platform_connection(
        world, administrator, provider.issuer, trusted_domains=[]
    )
    unverified = (DENIED, "EMAIL_NOT_VERIFIED")
    await refused(front_end.sign_in_at(provider, connection_id), *unverified)
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=somebody_else.email))
    token = (await world.mail(somebody_else.email, "reset_password"))["token"]
    await world.auth.ResetPassword(
        auth.ResetPasswordRequest(token=token, new_password="a lantern in the orchard")
    )
    await refused(front_end.sign_in_at(provider, connection_id), *NOT_LINKED)


@pytest.mark.parametrize(
    "email", [None, "", "no address", "a@b@c", "x" * 300 + "@example.com", "a\r\nb@example.com", 7]
)
async def test_without_an_address_nobody_gets_an_account(
    email: Any,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    somebody_else: Somebody,
    refused: Refused,
) -> None:
    provider.person = somebody_else.claims(email=email)
    call = front_end.sign_in_at(provider, connection_id)
    await refused(call, grpc.StatusCode.FAILED_PRECONDITION, "PROVIDER_EMAIL_MISSING")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (None, "ada"),
        ("", "ada"),
        ("\u202eevil\u202c", "evil"),
        ("\u3164", "ada"),
        ("Grace\r\nHopper", "Grace Hopper"),
        ("x" * 300, "x" * 50),
        ({"a": 1}, "ada"),
    ],
)
async def test_a_name_can_be_shown(
    name: Any,
    shown: str,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    somebody_else: Somebody,
) -> None:
    provider.person = somebody_else.claims(name=name)
    answer = await front_end.sign_in_at(provider, connection_id)
    found = answer.user.display_name
    assert found == shown or (shown == "ada" and found.startswith("ada."))


async def test_a_suspended_account_is_not_opened(
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    refused: Refused,
) -> None:
    person = signed_in(await front_end.sign_in_at(provider, connection_id))
    await world.users.UpdateUser(
        users.UpdateUserRequest(user_id=person.id, status="suspended"),
        metadata=administrator.metadata,
    )
    await refused(front_end.sign_in_at(provider, connection_id), DENIED, "ACCOUNT_SUSPENDED")


async def test_a_deleted_account_stays_deleted_and_leaves_nothing(
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
) -> None:
    async def rows(user_id: str) -> list[int]:
        counts = [
            f"select count(*) from {table} where user_id = '{user_id}'"  # noqa: S608
            for table in ("identities", "federated_sessions")
        ]
        async with world.engine.begin() as db:
            return [(await db.execute(text(count))).scalar_one() for count in counts]

    first = signed_in(await front_end.sign_in_at(provider, connection_id))
    assert await rows(first.id) == [1, 1]
    await world.users.DeleteUser(
        users.DeleteUserRequest(user_id=first.id), metadata=administrator.metadata
    )
    assert await rows(first.id) == [0, 0]
    second = signed_in(await front_end.sign_in_at(provider, connection_id))
    assert second.id != first.id


async def test_one_account_of_a_provider_is_linked_to_one_person(
    world: World, front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    owner = signed_in(await front_end.sign_in_at(provider, connection_id))
    other = await world.new_person()
    call = front_end.link(provider, connection_id, other)
    await refused(call, grpc.StatusCode.ALREADY_EXISTS, "IDENTITY_TAKEN")
    again = await front_end.link(provider, connection_id, owner)
    assert len(await identities_of(world, owner)) == 1
    assert again.identity.id == (await identities_of(world, owner))[0].id


async def test_a_link_ends_with_the_session_in_which_it_began(
    world: World, front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    person = await world.new_person()
    stub = IdentityServiceStub(world.channel)
    begun = await stub.BeginLink(
        identities.BeginLinkRequest(connection_id=connection_id), metadata=person.metadata
    )
    front_end.browser_token = begun.browser_token
    await world.auth.Logout(auth.LogoutRequest(refresh_token=person.refresh_token))
    call = front_end.complete(provider.authorize(begun.authorization_url))
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "FEDERATED_STATE_INVALID")


async def test_the_last_way_in_stays(
    world: World, front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    person = signed_in(await front_end.sign_in_at(provider, connection_id))
    (only,) = await identities_of(world, person)
    last = (grpc.StatusCode.FAILED_PRECONDITION, "LAST_WAY_IN")
    await refused(unlink(world, person, only.id), *last)
    # Another account at the provider is a way in as well.
    provider.person["sub"] = "another"
    await front_end.link(provider, connection_id, person)
    await unlink(world, person, only.id)
    (left,) = await identities_of(world, person)
    await refused(unlink(world, person, left.id), *last)
    assert (await world.mail(person.email, "identity_unlinked"))["provider_name"] == "Example"


async def test_who_has_a_password_can_unlink_all(
    world: World, front_end: FrontEnd, provider: Provider, connection_id: str, audited: Audited
) -> None:
    person = await world.new_person()
    await front_end.link(provider, connection_id, person)
    (identity,) = await identities_of(world, person)
    assert identity.connection_name == "Example"
    await unlink(world, person, identity.id)
    assert await identities_of(world, person) == []
    assert (await audited(person.id))[-1] == "user.identity_unlinked"


async def test_nobody_unlinks_for_others(
    world: World, front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    person = await world.new_person()
    await front_end.link(provider, connection_id, person)
    (identity,) = await identities_of(world, person)
    call = unlink(world, await world.new_person(), identity.id)
    await refused(call, grpc.StatusCode.NOT_FOUND, "IDENTITY_NOT_FOUND")


async def test_google_is_trusted_for_what_it_manages(
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    provider: Provider,
    somebody_else: Somebody,
    refused: Refused,
) -> None:
    connection_id = await new_platform_connection(
        world, administrator, provider.issuer, preset="google", trusted_domains=[]
    )
    ada = await world.new_person(somebody_else.email)
    await refused(front_end.sign_in_at(provider, connection_id), *NOT_LINKED)
    provider.person["hd"] = "other.example"
    await refused(front_end.sign_in_at(provider, connection_id), *NOT_LINKED)
    provider.person["hd"] = "example.com"
    assert (await front_end.sign_in_at(provider, connection_id)).user.id == ada.id


async def test_microsofts_people_are_told_apart_by_tenant_and_object(
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    provider: Provider,
    somebody_else: Somebody,
    refused: Refused,
) -> None:
    """The nOAuth trap: in a tenant of one's own one can have whatever address one likes."""
    tenant, evil = "72f988bf-86f1-41af-91ab-2d7cd011db47", "00000000-86f1-41af-91ab-2d7cd011db47"
    ada = await world.new_person(somebody_else.email)
    provider.path = "/common/v2.0"
    provider.discovery = lambda document: document.update(
        issuer=f"{provider.base}/{{tenantid}}/v2.0",
        authorization_response_iss_parameter_supported=False,
    )
    provider.callback = lambda brought: brought.pop("iss")
    provider.person = {
        "sub": "pairwise",
        "tid": tenant,
        "oid": "00000000-0000-0000-66f3-3332eca7ea81",
        "email": ada.email,
        "email_verified": True,
    }
    provider.id_token = lambda claims: claims.update(iss=f"{provider.base}/{claims['tid']}/v2.0")
    connection_id = await new_platform_connection(
        world,
        administrator,
        provider.issuer,
        preset="microsoft",
        trusted_domains=["*"],
        allowed_tenants=[tenant],
    )
    # Whatever it says of the address.
    await refused(front_end.sign_in_at(provider, connection_id), *NOT_LINKED)
    await front_end.link(provider, connection_id, ada)
    provider.person["sub"] = "another one for another client"
    assert (await front_end.sign_in_at(provider, connection_id)).user.id == ada.id
    for changes, check in (
        ({"tid": evil}, "tenant"),
        ({"tid": tenant, "oid": None}, "oid"),
    ):
        provider.person |= changes
        call = front_end.sign_in_at(provider, connection_id)
        found = await refused(call, grpc.StatusCode.UNAUTHENTICATED, "PROVIDER_RESPONSE_INVALID")
        assert found.metadata["check"] == check
    provider.person["oid"] = "x"
    provider.id_token = lambda claims: claims.update(iss=f"{provider.base}/{evil}/v2.0")
    call = front_end.sign_in_at(provider, connection_id)
    found = await refused(call, grpc.StatusCode.UNAUTHENTICATED, "PROVIDER_RESPONSE_INVALID")
    assert found.metadata["check"] == "iss"


async def test_github_signs_in_by_number_with_the_primary_verified_address(
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    github: GitHub,
    refused: Refused,
) -> None:
    connection_id = await new_platform_connection(
        world, administrator, github.base, preset="github", trusted_domains=["*"]
    )
    email = new_email()
    github.user = {"id": 583231, "login": "octocat", "name": None, "email": "public@example.com"}
    github.emails = [
        {"email": "old@example.com", "primary": False, "verified": True},
        {"email": email, "primary": True, "verified": True},
    ]
    first = signed_in(await front_end.sign_in_at(github, connection_id))
    assert first.email == email
    # Renamed, with another address; and somebody else has the old name.
    github.user |= {"login": "renamed"}
    github.emails = [{"email": new_email(), "primary": True, "verified": True}]
    assert signed_in(await front_end.sign_in_at(github, connection_id)).id == first.id
    github.user = {"id": 7, "login": "octocat"}
    github.emails = [{"email": email, "primary": True, "verified": False}]
    call = front_end.sign_in_at(github, connection_id)
    await refused(call, grpc.StatusCode.FAILED_PRECONDITION, "PROVIDER_EMAIL_MISSING")
    answers: list[Any] = [[], {}, [{}], [None], "x"]
    for answer in answers:
        github.emails = answer
        call = front_end.sign_in_at(github, connection_id)
        await refused(call, grpc.StatusCode.FAILED_PRECONDITION, "PROVIDER_EMAIL_MISSING")
    github.user = {"login": "octocat"}
    call = front_end.sign_in_at(github, connection_id)
    await refused(call, grpc.StatusCode.UNAUTHENTICATED, "PROVIDER_RESPONSE_INVALID")
