"""The questions that are asked about domains, one query each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.reads import keyed_query
from server.features.domains.models import Domain
from server.features.organizations.facade import is_alive


class DomainRepository:
    """Domains in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, domain: Domain) -> None:
        """Adds a new domain."""
        self._db.add(domain)

    async def find(self, domain_id: UUID, organizations: Collection[UUID]) -> Domain | None:
        """The domain, if one of the organizations has it; locked."""
        query = select(Domain).where(
            Domain.id == domain_id, Domain.organization_id.in_(organizations)
        )
        return await self._db.scalar(query.with_for_update())

    async def list(self, organization_id: UUID) -> Sequence[Domain]:
        """An organization's domains, by name."""
        query = select(Domain).where(Domain.organization_id == organization_id)
        return (await self._db.scalars(query.order_by(Domain.name))).all()

    async def count(self, organization_id: UUID) -> int:
        """How many domains an organization has."""
        query = select(func.count()).where(Domain.organization_id == organization_id)
        return await self._db.scalar(query) or 0

    async def verified_by(self, name: str) -> UUID | None:
        """The organization that has verified a domain."""
        query = select(Domain.organization_id).where(
            Domain.name == name, Domain.verified_at.is_not(None), is_alive(Domain.organization_id)
        )
        return await self._db.scalar(query)

    async def free(self, name: str) -> None:
        """Takes a domain from an organization that is deleted."""
        gone = delete(Domain).where(Domain.name == name, ~is_alive(Domain.organization_id))
        await self._db.execute(gone.execution_options(synchronize_session=False))

    async def delete(self, domain: Domain) -> None:
        """Deletes a domain."""
        await self._db.delete(domain)


# Who has verified domains, by their names.
OWNERS = keyed_query(
    select(Domain.name, Domain.organization_id).where(
        Domain.verified_at.is_not(None), is_alive(Domain.organization_id)
    ),
    Domain.name,
)
