"""A domain belongs to the first organization whose DNS record proves it."""

from __future__ import annotations

import grpc
import pytest
from portico.domains.v1 import domain_service_pb2 as pb
from portico.domains.v1.domain_service_pb2_grpc import DomainServiceStub
from portico.organizations.v1 import organization_service_pb2 as organizations

from tests.core.conftest import Audited, Refused
from tests.core.domains.organization_domains import add, new_name, prove, verify
from tests.core.world import Person, World

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_a_domain_is_proven_by_its_record(
    world: World, owner: Person, organization_id: str, audited: Audited
) -> None:
    name = new_name()
    domain = await add(world, owner, organization_id, name.upper() + ".")
    assert (domain.name, domain.record_name) == (name, f"_portico-challenge.{name}")
    assert not domain.HasField("verified_at")
    world.names.texts[domain.record_name] = ["something else", domain.record_value]
    assert (await verify(world, owner, domain.id)).HasField("verified_at")
    assert await audited(domain.id) == ["domain.created", "domain.verified"]


async def test_another_record_proves_nothing(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    domain = await add(world, owner, organization_id, new_name())
    not_proven = (grpc.StatusCode.FAILED_PRECONDITION, "DOMAIN_NOT_PROVEN")
    await refused(verify(world, owner, domain.id), *not_proven)
    # At the domain itself, with more around it, or of another organization.
    world.names.texts[domain.name] = [domain.record_value]
    world.names.texts[domain.record_name] = [f"{domain.record_value}x", "x", ""]
    await refused(verify(world, owner, domain.id), *not_proven)


async def test_a_name_server_that_is_silent_is_no_refusal(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    domain = await add(world, owner, organization_id, new_name())
    world.names.silent = True
    try:
        call = verify(world, owner, domain.id)
        await refused(call, grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    finally:
        world.names.silent = False


async def test_the_first_who_proves_a_domain_has_it(
    world: World, owner: Person, organization_id: str, stranger: Person, refused: Refused
) -> None:
    name, other = new_name(), await world.new_organization(stranger)
    await prove(world, owner, organization_id, name)
    taken = (grpc.StatusCode.ALREADY_EXISTS, "DOMAIN_TAKEN")
    await refused(prove(world, stranger, other, name), *taken)
    exists = (grpc.StatusCode.ALREADY_EXISTS, "DOMAIN_EXISTS")
    await refused(add(world, owner, organization_id, name), *exists)


async def test_a_deleted_organization_has_no_domain(
    world: World, owner: Person, organization_id: str, stranger: Person
) -> None:
    name, other = new_name(), await world.new_organization(stranger)
    await prove(world, owner, organization_id, name)
    request = organizations.DeleteOrganizationRequest(organization_id=organization_id)
    await world.organizations.DeleteOrganization(request, metadata=owner.metadata)
    assert (await prove(world, stranger, other, name)).HasField("verified_at")


async def test_a_domain_that_was_deleted_can_be_proven_by_others(
    world: World, owner: Person, organization_id: str, stranger: Person, audited: Audited
) -> None:
    name, other = new_name(), await world.new_organization(stranger)
    domain = await prove(world, owner, organization_id, name)
    request = pb.DeleteDomainRequest(domain_id=domain.id)
    await DomainServiceStub(world.channel).DeleteDomain(request, metadata=owner.metadata)
    assert (await audited(domain.id))[-1] == "domain.deleted"
    assert (await prove(world, stranger, other, name)).HasField("verified_at")


@pytest.mark.parametrize(
    "name",
    [
        "com",
        "...",
        "a b.example",
        "192.0.2.1",
        "-a.example",
        "exa_mple.com",
        "a..b",
        "x" * 64 + ".de",
    ],
)
async def test_what_is_no_domain_is_refused(
    world: World, owner: Person, organization_id: str, name: str, refused: Refused
) -> None:
    await refused(add(world, owner, organization_id, name), INVALID, "VALIDATION_ERROR")


async def test_an_international_name_has_one_form(
    world: World, owner: Person, organization_id: str
) -> None:
    domain = await add(world, owner, organization_id, "Bücher.example")
    assert domain.name == "xn--bcher-kva.example"


async def test_only_owners_add_domains_and_every_member_sees_them(
    world: World, owner: Person, organization_id: str, stranger: Person, refused: Refused
) -> None:
    domain = await add(world, owner, organization_id, new_name())
    admin = await world.new_member(organization_id, owner, "admin")
    denied = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    await refused(add(world, admin, organization_id, new_name()), *denied)
    await refused(verify(world, admin, domain.id), *denied)
    stub = DomainServiceStub(world.channel)
    request = pb.ListDomainsRequest(organization_id=organization_id)
    listed = await stub.ListDomains(request, metadata=admin.metadata)
    assert [each.id for each in listed.domains] == [domain.id]
    missing = (grpc.StatusCode.NOT_FOUND, "DOMAIN_NOT_FOUND")
    await refused(verify(world, stranger, domain.id), *missing)


async def test_an_api_key_proves_no_domain(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    key = await world.new_key(organization_id, owner, "domains:write")
    request = pb.CreateDomainRequest(organization_id=organization_id, name=new_name())
    call = DomainServiceStub(world.channel).CreateDomain(
        request, metadata=await world.key_metadata(key.secret)
    )
    await refused(call, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
