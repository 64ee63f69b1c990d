"""People of an organization sign in with its own provider, at the domains that it has proven."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import pytest
from portico.connections.v1 import connection_service_pb2 as pb
from portico.connections.v1 import federated_sign_in_service_pb2 as sign_in
from portico.connections.v1.connection_service_pb2_grpc import ConnectionServiceStub
from portico.domains.v1 import domain_service_pb2 as domains
from portico.domains.v1.domain_service_pb2_grpc import DomainServiceStub
from portico.organizations.v1 import organization_service_pb2 as organizations
from sqlalchemy import text

from tests.core.conftest import Audited, Refused
from tests.core.connections.front_end import FrontEnd, Somebody, new_connection, signed_in
from tests.core.connections.provider import CLIENT_SECRET, Provider, running_provider
from tests.core.domains.organization_domains import new_name, prove
from tests.core.world import Person, World, new_email, refusal

DENIED = grpc.StatusCode.PERMISSION_DENIED
NOT_PROVEN = (DENIED, "EMAIL_DOMAIN_NOT_PROVEN")
INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")


@dataclass
class Company:
    """An organization with a proven domain and a connection."""

    id: str
    domain: str
    domain_id: str
    connection_id: str

    def email(self, name: str = "grace") -> str:
        return f"{name}@{self.domain}"


@pytest.fixture
async def company(world: World, owner: Person, organization_id: str, provider: Provider) -> Company:
    domain = await prove(world, owner, organization_id, new_name())
    connection_id = await new_connection(
        world, owner, organization_id, provider.issuer, member_role="member"
    )
    company = Company(organization_id, domain.name, domain.id, connection_id)
    provider.person["email"] = company.email()
    return company


async def members(world: World, owner: Person, organization_id: str) -> dict[str, str]:
    request = organizations.ListMembersRequest(organization_id=organization_id)
    answer = await world.organizations.ListMembers(request, metadata=owner.metadata)
    return {member.user_id: member.role for member in answer.members}


async def update(world: World, owner: Person, connection_id: str, **fields: Any) -> Any:
    request = pb.UpdateConnectionRequest(connection_id=connection_id, **fields)
    stub = ConnectionServiceStub(world.channel)
    return (await stub.UpdateConnection(request, metadata=owner.metadata)).connection


async def test_somebody_new_is_a_member_with_the_role_of_choice(
    world: World,
    owner: Person,
    provider: Provider,
    front_end: FrontEnd,
    company: Company,
    audited: Audited,
) -> None:
    person = signed_in(await front_end.sign_in_at(provider, company.connection_id))
    assert person.email == company.email()
    assert (await members(world, owner, company.id))[person.id] == "member"
    assert "member.added" in await audited(person.id)


async def test_whom_the_organization_removes_stays_out_of_it(
    world: World, owner: Person, provider: Provider, front_end: FrontEnd, company: Company
) -> None:
    person = signed_in(await front_end.sign_in_at(provider, company.connection_id))
    await world.organizations.RemoveMember(
        organizations.RemoveMemberRequest(organization_id=company.id, user_id=person.id),
        metadata=owner.metadata,
    )
    await front_end.sign_in_at(provider, company.connection_id)
    assert person.id not in await members(world, owner, company.id)


async def test_without_a_role_nobody_becomes_a_member(
    world: World, owner: Person, provider: Provider, front_end: FrontEnd, company: Company
) -> None:
    await update(world, owner, company.connection_id, member_role="")
    person = signed_in(await front_end.sign_in_at(provider, company.connection_id))
    assert person.id not in await members(world, owner, company.id)


async def test_an_account_at_the_domain_is_joined_and_keeps_its_role(
    world: World, owner: Person, provider: Provider, front_end: FrontEnd, company: Company
) -> None:
    ada = await world.new_person(company.email())
    assert (await front_end.sign_in_at(provider, company.connection_id)).user.id == ada.id
    assert (await members(world, owner, company.id))[ada.id] == "member"
    assert (await members(world, owner, company.id))[owner.id] == "owner"


async def test_a_provider_of_an_organization_opens_no_account_elsewhere(
    world: World, provider: Provider, front_end: FrontEnd, company: Company, refused: Refused
) -> None:
    """Whoever sets a provider up can have it say whatever they like."""
    victim = await world.new_person(new_email())
    for email in (victim.email, new_email(), f"grace@sub.{company.domain}", "x@gmail.com"):
        provider.person["email"] = email
        await refused(front_end.sign_in_at(provider, company.connection_id), *NOT_PROVEN)


async def test_a_person_cannot_link_a_provider_of_somebody_else(
    world: World, provider: Provider, front_end: FrontEnd, company: Company, refused: Refused
) -> None:
    guest = await world.new_person()
    await refused(front_end.link(provider, company.connection_id, guest), *NOT_PROVEN)


async def test_the_same_subject_of_another_organization_is_somebody_else(
    world: World,
    stranger: Person,
    provider: Provider,
    front_end: FrontEnd,
    company: Company,
) -> None:
    """Two organizations may name one issuer; one of them may be anybody's."""
    first = signed_in(await front_end.sign_in_at(provider, company.connection_id))
    other = await world.new_organization(stranger)
    domain = await prove(world, stranger, other, new_name())
    others = await new_connection(world, stranger, other, provider.issuer)
    provider.person["email"] = f"grace@{domain.name}"
    second = signed_in(await front_end.sign_in_at(provider, others))
    assert second.id != first.id


async def test_without_its_domain_an_organization_opens_no_account(
    world: World,
    owner: Person,
    provider: Provider,
    front_end: FrontEnd,
    company: Company,
    refused: Refused,
) -> None:
    await front_end.sign_in_at(provider, company.connection_id)
    await DomainServiceStub(world.channel).DeleteDomain(
        domains.DeleteDomainRequest(domain_id=company.domain_id), metadata=owner.metadata
    )
    await refused(front_end.sign_in_at(provider, company.connection_id), *NOT_PROVEN)


async def test_who_has_moved_to_another_address_is_out_of_reach(
    world: World, provider: Provider, front_end: FrontEnd, company: Company, refused: Refused
) -> None:
    ada = await world.new_person(company.email())
    await front_end.sign_in_at(provider, company.connection_id)
    await world.change_email(ada, new_email())
    await refused(front_end.sign_in_at(provider, company.connection_id), *NOT_PROVEN)


async def test_an_address_must_be_verified_there_too(
    provider: Provider, front_end: FrontEnd, company: Company, refused: Refused
) -> None:
    provider.person["email_verified"] = False
    call = front_end.sign_in_at(provider, company.connection_id)
    await refused(call, DENIED, "PROVIDER_EMAIL_UNVERIFIED")


async def test_entra_is_trusted_for_a_domain_that_is_proven_here(
    world: World, owner: Person, front_end: FrontEnd, company: Company
) -> None:
    tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
    ada = await world.new_person(company.email("ada"))
    async with running_provider() as entra:
        entra.path = f"/{tenant}/v2.0"
        entra.discovery = lambda document: document.update(
            authorization_response_iss_parameter_supported=False
        )
        entra.person = {"sub": "x", "tid": tenant, "oid": "y", "email": ada.email}
        connection_id = await new_connection(
            world, owner, company.id, entra.issuer, preset="microsoft"
        )
        assert (await front_end.sign_in_at(entra, connection_id)).user.id == ada.id


async def test_entra_for_many_tenants_needs_their_names(
    world: World, owner: Person, company: Company, refused: Refused
) -> None:
    call = new_connection(world, owner, company.id, "", preset="microsoft")
    found = await refused(call, *INVALID)
    assert found.fields == ("allowed_tenants",)


async def test_the_options_for_an_address_are_those_of_its_domain(
    world: World, owner: Person, company: Company, front_end: FrontEnd
) -> None:
    async def options(email: str) -> list[sign_in.SignInOption]:
        request = sign_in.ListSignInOptionsRequest(email=email)
        return list((await front_end.sign_in.ListSignInOptions(request)).options)

    found = (await options(f"nobody@{company.domain.upper()}"))[0]
    assert (found.connection_id, found.organization) == (company.connection_id, True)
    for email in (f"a@x.{company.domain}", company.domain, "", "@"):
        assert not any(option.organization for option in await options(email))
    await update(world, owner, company.connection_id, enabled=False)
    assert not any(option.organization for option in await options(company.email()))


SECOND_FACTOR = [
    (False, {"amr": ["mfa"]}, False),
    (True, {"amr": ["mfa", "pwd"]}, True),
    (True, {"amr": ["pwd"]}, False),
    (True, {"acr": "urn:company:strong"}, True),
    (True, {"acr": "urn:company:weak", "amr": "mfa"}, False),
]


@pytest.mark.parametrize(("trusts", "claims", "counts"), SECOND_FACTOR)
async def test_the_providers_second_factor_counts_if_the_connection_says_so(
    trusts: bool,
    claims: dict[str, Any],
    counts: bool,
    world: World,
    owner: Person,
    provider: Provider,
    front_end: FrontEnd,
    company: Company,
) -> None:
    import jwt

    await update(
        world,
        owner,
        company.connection_id,
        trusts_second_factor=trusts,
        second_factor_acrs=["urn:company:strong"],
    )
    provider.person |= claims
    person = signed_in(await front_end.sign_in_at(provider, company.connection_id))
    said = jwt.decode(person.access_token, options={"verify_signature": False})
    assert said["acr"] == ("urn:portico:aal2" if counts else "urn:portico:aal1")


async def test_a_connection_is_seen_without_its_secret(
    world: World, owner: Person, company: Company, provider: Provider, audited: Audited
) -> None:
    viewer = await world.new_member(company.id, owner, "viewer")
    stub = ConnectionServiceStub(world.channel)
    answer = await stub.GetConnection(
        pb.GetConnectionRequest(connection_id=company.connection_id), metadata=viewer.metadata
    )
    shown = answer.connection
    assert shown.has_client_secret
    assert CLIENT_SECRET not in str(shown)
    assert (shown.issuer, shown.member_role, shown.enabled) == (provider.issuer, "member", True)
    assert shown.redirect_uri == "http://127.0.0.1:8080/sign-in/callback"
    assert shown.backchannel_logout_uri.endswith(f"/sign-in/backchannel-logout/{shown.id}")
    listed = await stub.ListConnections(
        pb.ListConnectionsRequest(organization_id=company.id), metadata=viewer.metadata
    )
    assert list(listed.connections) == [shown]
    async with world.engine.begin() as db:
        rows = await db.execute(
            text("select cast(c as text) from connections c where id = :id"), {"id": shown.id}
        )
        assert CLIENT_SECRET not in rows.scalar_one()
    assert await audited(shown.id) == ["connection.created"]


async def test_only_owners_set_connections_up(
    world: World,
    owner: Person,
    stranger: Person,
    provider: Provider,
    company: Company,
    refused: Refused,
) -> None:
    admin = await world.new_member(company.id, owner, "admin")
    denied = (DENIED, "PERMISSION_DENIED")
    await refused(new_connection(world, admin, company.id, provider.issuer), *denied)
    await refused(update(world, admin, company.connection_id, enabled=False), *denied)
    missing = (grpc.StatusCode.NOT_FOUND, "CONNECTION_NOT_FOUND")
    await refused(update(world, stranger, company.connection_id, enabled=False), *missing)
    key = await world.new_key(company.id, owner, "connections:write")
    request = pb.UpdateConnectionRequest(connection_id=company.connection_id, enabled=False)
    call = ConnectionServiceStub(world.channel).UpdateConnection(
        request, metadata=await world.key_metadata(key.secret)
    )
    await refused(call, *denied)


async def test_nobody_becomes_an_owner_by_signing_in(
    world: World, owner: Person, company: Company, refused: Refused
) -> None:
    call = update(world, owner, company.connection_id, member_role="owner")
    await refused(call, *INVALID)


@pytest.mark.parametrize(
    "issuer", ["", "ftp://example.com", "https://10.0.0.1", "https://a:b@example.com", "x"]
)
async def test_an_issuer_must_be_a_public_address(
    issuer: str, world: World, owner: Person, company: Company, refused: Refused
) -> None:
    found = await refused(new_connection(world, owner, company.id, issuer), *INVALID)
    assert found.fields == ("issuer",)


async def test_a_client_has_a_secret_or_says_that_it_has_none(
    world: World, owner: Person, company: Company, provider: Provider, refused: Refused
) -> None:
    call = new_connection(world, owner, company.id, provider.issuer, client_secret="")
    assert (await refused(call, *INVALID)).fields == ("client_secret",)
    assert await new_connection(
        world,
        owner,
        company.id,
        provider.issuer,
        client_secret="",
        client_authentication="none",
    )


async def test_a_deleted_connection_signs_nobody_in_and_a_new_one_does_again(
    world: World,
    owner: Person,
    provider: Provider,
    front_end: FrontEnd,
    company: Company,
    audited: Audited,
    refused: Refused,
) -> None:
    first = signed_in(await front_end.sign_in_at(provider, company.connection_id))
    stub = ConnectionServiceStub(world.channel)
    request = pb.DeleteConnectionRequest(connection_id=company.connection_id)
    await stub.DeleteConnection(request, metadata=owner.metadata)
    assert await audited(company.connection_id) == ["connection.created", "connection.deleted"]
    missing = (grpc.StatusCode.NOT_FOUND, "CONNECTION_NOT_FOUND")
    await refused(front_end.begin(company.connection_id), *missing)
    again = await new_connection(world, owner, company.id, provider.issuer)
    assert signed_in(await front_end.sign_in_at(provider, again)).id == first.id


async def test_a_deleted_organization_signs_nobody_in(
    world: World, owner: Person, company: Company, front_end: FrontEnd, refused: Refused
) -> None:
    request = organizations.DeleteOrganizationRequest(organization_id=company.id)
    await world.organizations.DeleteOrganization(request, metadata=owner.metadata)
    call = front_end.begin(company.connection_id)
    await refused(call, grpc.StatusCode.NOT_FOUND, "CONNECTION_NOT_FOUND")


async def begin_test(world: World, owner: Person, company: Company, front_end: FrontEnd) -> str:
    request = pb.TestConnectionRequest(connection_id=company.connection_id)
    stub = ConnectionServiceStub(world.channel)
    begun = await stub.TestConnection(request, metadata=owner.metadata)
    front_end.browser_token = begun.browser_token
    return begun.authorization_url


async def test_a_test_shows_every_check_and_changes_nothing(
    world: World, owner: Person, company: Company, provider: Provider, front_end: FrontEnd
) -> None:
    await update(world, owner, company.connection_id, enabled=False)
    url = await begin_test(world, owner, company, front_end)
    answer = await front_end.complete(provider.authorize(url))
    assert (answer.purpose, answer.access_token) == ("test", "")
    checks = {check.name: check.passed for check in answer.checks}
    assert all(checks.values()), answer.checks
    assert {"discovery_issuer", "callback_iss", "alg", "kid", "signature"} <= set(checks)
    assert {"iss", "aud", "azp", "exp", "iat", "sub", "nonce", "at_hash"} <= set(checks)
    assert {"email", "email_verified", "domain", "trusted", "identity"} <= set(checks)
    async with world.engine.begin() as db:
        found = await db.execute(
            text("select count(*) from users where email = :email"), {"email": company.email()}
        )
        assert found.scalar() == 0


async def test_a_test_shows_all_that_is_wrong(
    world: World, owner: Person, company: Company, provider: Provider, front_end: FrontEnd
) -> None:
    provider.id_token = lambda claims: claims.update(aud="x", nonce="y", exp=1)
    url = await begin_test(world, owner, company, front_end)
    answer = await front_end.complete(provider.authorize(url))
    failed = {check.name for check in answer.checks if not check.passed}
    assert failed == {"aud", "nonce", "exp"}
    url = await begin_test(world, owner, company, front_end)
    provider.codes.clear()
    answer = await front_end.complete({**provider.authorize(url), "code": "unknown"})
    assert answer.checks[-1].detail == "the code was answered with 400 'invalid_grant'"
    url = await begin_test(world, owner, company, front_end)
    brought = provider.authorize(url)
    answer = await front_end.complete({"state": brought["state"], "error": "access_denied"})
    assert not answer.checks[-1].passed


async def test_only_who_may_change_a_connection_tests_it(
    world: World,
    owner: Person,
    stranger: Person,
    company: Company,
    front_end: FrontEnd,
    refused: Refused,
    somebody_else: Somebody,
) -> None:
    missing = (grpc.StatusCode.NOT_FOUND, "CONNECTION_NOT_FOUND")
    await refused(begin_test(world, stranger, company, front_end), *missing)
    admin = await world.new_member(company.id, owner, "admin")
    call = begin_test(world, admin, company, front_end)
    await refused(call, DENIED, "PERMISSION_DENIED")


async def test_of_ten_at_once_only_as_many_are_made_as_there_is_room_for(
    world: World, owner: Person, organization_id: str, provider: Provider
) -> None:
    create = partial(new_connection, world, owner, organization_id, provider.issuer)
    for _ in range(18):
        await create()
    made = await asyncio.gather(*(create() for _ in range(10)), return_exceptions=True)
    refusals = [refusal(each) for each in made if isinstance(each, grpc.aio.AioRpcError)]
    assert len(made) - len(refusals) == 2
    assert {each.reason for each in refusals} == {"CONNECTION_LIMIT_REACHED"}
