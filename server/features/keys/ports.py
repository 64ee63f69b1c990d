"""What API keys need of features that stand above them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


class Projects(Protocol):
    """Knows the projects of an organization; the projects feature does."""

    async def existing(
        self, db: AsyncSession, organization_id: UUID, project_ids: Collection[UUID]
    ) -> frozenset[UUID]:
        """Those of the projects that the organization has and that are not deleted."""
        ...
