"""What the tests of projects share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from portico.projects.v1 import project_service_pb2 as pb
from portico.projects.v1.project_pb2 import Project
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.organizations.models import Organization
from server.features.projects.models import Project as ProjectRow
from tests.core.world import Person, World

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ProjectClient:
    """The projects of an organization, as a caller sees them; by default its owner."""

    world: World
    organization_id: str
    owner: Person
    metadata: Metadata

    def by(self, metadata: Metadata) -> ProjectClient:
        """The same projects, as another caller sees them."""
        return ProjectClient(self.world, self.organization_id, self.owner, metadata)

    async def create(self, name: str = "Website", **fields: Any) -> Project:
        request = pb.CreateProjectRequest(organization_id=self.organization_id, name=name, **fields)
        answer = await self.world.projects.CreateProject(request, metadata=self.metadata)
        return answer.project

    async def get(self, project_id: str) -> Project:
        request = pb.GetProjectRequest(project_id=project_id)
        return (await self.world.projects.GetProject(request, metadata=self.metadata)).project

    async def list(self, **fields: Any) -> pb.ListProjectsResponse:
        request = pb.ListProjectsRequest(organization_id=self.organization_id, **fields)
        return await self.world.projects.ListProjects(request, metadata=self.metadata)

    async def names(self, **fields: Any) -> Sequence[str]:
        """The names of what a list shows."""
        return [project.name for project in (await self.list(**fields)).projects]

    async def update(self, project_id: str, *, if_match: str = "", **fields: Any) -> Project:
        request = pb.UpdateProjectRequest(project_id=project_id, **fields)
        metadata = (*self.metadata, ("if-match", if_match)) if if_match else self.metadata
        return (await self.world.projects.UpdateProject(request, metadata=metadata)).project

    async def archive(self, project_id: str) -> Project:
        request = pb.ArchiveProjectRequest(project_id=project_id)
        return (await self.world.projects.ArchiveProject(request, metadata=self.metadata)).project

    async def restore(self, project_id: str) -> Project:
        request = pb.RestoreProjectRequest(project_id=project_id)
        return (await self.world.projects.RestoreProject(request, metadata=self.metadata)).project

    async def delete(self, project_id: str) -> None:
        request = pb.DeleteProjectRequest(project_id=project_id)
        await self.world.projects.DeleteProject(request, metadata=self.metadata)

    async def transfer(self, project_id: str, target: str) -> Project:
        request = pb.TransferProjectRequest(project_id=project_id, target_organization_id=target)
        answer = await self.world.projects.TransferProject(request, metadata=self.metadata)
        return answer.project

    async def fill(self, organization_id: str, count: int) -> None:
        """Gives an organization so many projects at once."""
        async with AsyncSession(self.world.engine) as db, db.begin():
            db.add_all(
                ProjectRow(organization_id=UUID(organization_id), name=f"Filler {number}")
                for number in range(count)
            )

    async def set_tier(self, tier: str) -> None:
        """Gives the organization a tier, which no method does."""
        async with AsyncSession(self.world.engine) as db, db.begin():
            here = Organization.id == UUID(self.organization_id)
            await db.execute(update(Organization).where(here).values(tier=tier))


@pytest.fixture
async def projects(world: World, owner: Person, organization_id: str) -> ProjectClient:
    """The projects of the owner's organization."""
    return ProjectClient(world, organization_id, owner, owner.metadata)


@pytest.fixture
async def second(world: World, owner: Person) -> str:
    """Another organization of the owner."""
    return await world.new_organization(owner)
