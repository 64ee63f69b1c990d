"""Domains of organizations for the tests."""

from __future__ import annotations

from uuid import uuid4

from portico.domains.v1 import domain_service_pb2 as pb
from portico.domains.v1.domain_service_pb2_grpc import DomainServiceStub

from tests.core.world import Person, World


def new_name() -> str:
    """A domain that nobody has."""
    return f"{uuid4().hex[:12]}.example"


async def add(world: World, owner: Person, organization_id: str, name: str) -> pb.Domain:
    """A domain that is not verified."""
    request = pb.CreateDomainRequest(organization_id=organization_id, name=name)
    answer = await DomainServiceStub(world.channel).CreateDomain(request, metadata=owner.metadata)
    return answer.domain


async def verify(world: World, owner: Person, domain_id: str) -> pb.Domain:
    """Looks the record up."""
    request = pb.VerifyDomainRequest(domain_id=domain_id)
    answer = await DomainServiceStub(world.channel).VerifyDomain(request, metadata=owner.metadata)
    return answer.domain


async def prove(world: World, owner: Person, organization_id: str, name: str) -> pb.Domain:
    """A domain whose record is there."""
    domain = await add(world, owner, organization_id, name)
    world.names.texts[domain.record_name] = ["v=spf1 -all", domain.record_value]
    return await verify(world, owner, domain.id)
