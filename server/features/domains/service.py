"""Domains: the methods."""

from __future__ import annotations

from dataclasses import dataclass

from portico.domains.v1 import domain_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.errors import NotFoundError, PermissionDeniedError
from portico_kit.ids import new_id, parse_id
from portico_kit.tokens import new_token
from server.features.domains import messages
from server.features.domains.dns import TextRecords
from server.features.domains.errors import (
    DomainLimitReachedError,
    DomainNotFoundError,
    DomainNotProvenError,
    DomainTakenError,
)
from server.features.domains.models import Domain
from server.features.domains.names import domain_name
from server.features.domains.repository import DomainRepository
from server.features.organizations.facade import Tenants

MAX_DOMAINS = 50


@dataclass(frozen=True, slots=True)
class DomainService:
    """Serves portico.domains.v1.DomainService."""

    records: TextRecords
    tenants: Tenants

    async def CreateDomain(
        self, request: pb.CreateDomainRequest, call: Call
    ) -> pb.CreateDomainResponse:
        _require_person(call)
        organization_id, name = parse_id(request.organization_id), domain_name(request.name)
        if not await self.tenants.lock(call.db, organization_id):
            raise NotFoundError
        domains = DomainRepository(call.db)
        if await domains.count(organization_id) >= MAX_DOMAINS:
            raise DomainLimitReachedError
        domain = Domain(id=new_id(), organization_id=organization_id, name=name, proof=new_token())
        domains.add(domain)
        await call.db.flush()
        call.location(f"/api/v1/domains/{domain.id}")
        return pb.CreateDomainResponse(domain=_record("domain.created", domain, call))

    async def ListDomains(
        self, request: pb.ListDomainsRequest, call: Call
    ) -> pb.ListDomainsResponse:
        rows = await DomainRepository(call.db).list(parse_id(request.organization_id))
        return pb.ListDomainsResponse(domains=[messages.domain(row) for row in rows])

    async def VerifyDomain(
        self, request: pb.VerifyDomainRequest, call: Call
    ) -> pb.VerifyDomainResponse:
        _require_person(call)
        domain = await _find(request.domain_id, call)
        if domain.verified_at is not None:
            return pb.VerifyDomainResponse(domain=messages.domain(domain))
        wanted, name = domain.record_value, domain.record_name
        # No connection is kept while the name servers take their time.
        await call.db.rollback()
        if wanted not in await self.records.texts(name):
            raise DomainNotProvenError(record_name=name)
        domain = await _find(request.domain_id, call)
        domains = DomainRepository(call.db)
        owner = await domains.verified_by(domain.name)
        if owner not in (None, domain.organization_id):
            raise DomainTakenError
        await domains.free(domain.name)
        domain.verified_at = domain.verified_at or call.now
        await call.db.flush()
        return pb.VerifyDomainResponse(domain=_record("domain.verified", domain, call))

    async def DeleteDomain(
        self, request: pb.DeleteDomainRequest, call: Call
    ) -> pb.DeleteDomainResponse:
        _require_person(call)
        domain = await _find(request.domain_id, call)
        _record("domain.deleted", domain, call)
        await DomainRepository(call.db).delete(domain)
        return pb.DeleteDomainResponse()


def _require_person(call: Call) -> None:
    """Lets only a person act: a domain opens accounts, and no key shall."""
    if not call.principal.is_person:
        raise PermissionDeniedError(needed="user")


async def _find(domain_id: str, call: Call) -> Domain:
    """The domain, if the caller may do this to it; locked."""
    domain = await DomainRepository(call.db).find(parse_id(domain_id), call.tenants)
    if domain is None:
        raise DomainNotFoundError
    call.authorize(domain.organization_id)
    return domain


def _record(action: str, domain: Domain, call: Call) -> pb.Domain:
    shown = messages.domain(domain)
    call.record(action, organization_id=domain.organization_id, target_id=domain.id, data=shown)
    return shown
