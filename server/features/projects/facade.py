"""Projects for other features, and reads of single ones: one query for all who ask at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.batching import BatchLoader
from portico_kit.storage.reads import Reads
from server.features.projects.read_models import ProjectView
from server.features.projects.repository import VIEW, ProjectRepository


class Projects:
    """Projects that are not deleted, to read only."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._by_id: BatchLoader[UUID, ProjectView] = BatchLoader(self._fetch)

    async def find(self, project_id: UUID) -> ProjectView | None:
        """The project, whoever owns it: the caller has to look whether it exists for them."""
        return await self._by_id.load(project_id)

    async def existing(
        self, db: AsyncSession, organization_id: UUID, project_ids: Collection[UUID]
    ) -> frozenset[UUID]:
        """Those of the projects that an organization has and that are not deleted."""
        return frozenset(await ProjectRepository(db).existing(organization_id, project_ids))

    async def _fetch(self, project_ids: Sequence[UUID]) -> Mapping[UUID, ProjectView]:
        rows = await self._reads.fetch(VIEW, project_ids)
        return {row.id: ProjectView(*row) for row in rows}
