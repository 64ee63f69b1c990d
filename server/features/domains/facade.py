"""Domains for other features: which organization has proven one."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.reads import Reads
from server.features.domains.repository import OWNERS, DomainRepository


class Domains:
    """Answers whose a domain is."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def owner(self, name: str) -> UUID | None:
        """The organization that has proven a domain; read outside of the call's transaction."""
        found = await self._reads.fetch(OWNERS, [name])
        return found[0].organization_id if found else None

    async def owner_now(self, db: AsyncSession, name: str) -> UUID | None:
        """The same, in the caller's transaction."""
        return await DomainRepository(db).verified_by(name)
