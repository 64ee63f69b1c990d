"""The questions that are asked about projects, one query each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from portico_kit.paging import Cursors, Order, Page, Paging, fetch_page
from portico_kit.storage.base import delete_batch
from portico_kit.storage.reads import keyed_query
from server.features.organizations.facade import is_alive
from server.features.projects.models import Project
from server.features.projects.read_models import ACTIVE, ARCHIVED, DELETED, ProjectView

# How long a deleted project can be restored.
RESTORABLE = timedelta(days=30)

# By their names in the contract.
SORTS: Mapping[str, InstrumentedAttribute[Any]] = {
    "createdAt": Project.created_at,
    "name": Project.name,
}
_THERE = Project.deleted_at.is_(None)


@dataclass(frozen=True, slots=True)
class ProjectFilter:
    """Which projects a list shows; what is "" does not matter.

    Attributes:
        search: part of a name.
        status: active and archived ones if "".
        among: the projects that the caller is bound to, None if to none. Who is bound sees
            no deleted ones.
    """

    search: str
    status: str
    now: datetime
    among: Collection[UUID] | None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as SQL."""
        found = list(_in_state(self.status, self.now))
        if self.search:
            found.append(Project.name.icontains(self.search, autoescape=True))
        if self.among is not None:
            found += [Project.id.in_(self.among), _THERE]
        return found


class ProjectRepository:
    """Projects in the caller's transaction. Deleted ones are here where a question says so."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, project: Project) -> None:
        """Adds a new project."""
        self._db.add(project)

    async def find_to_change(
        self, project_id: UUID, organizations: Collection[UUID]
    ) -> Project | None:
        """The project, if one of the organizations owns it; locked."""
        return await self._lock(project_id, organizations, _THERE)

    async def find_to_restore(
        self, project_id: UUID, organizations: Collection[UUID], now: datetime
    ) -> Project | None:
        """The same; one that was deleted, too, as long as it can be restored."""
        return await self._lock(project_id, organizations, _THERE | _restorable(now))

    async def owner(self, project_id: UUID, organizations: Collection[UUID]) -> UUID | None:
        """Which of the organizations has a project, deleted or not."""
        query = select(Project.organization_id).where(
            Project.id == project_id, Project.organization_id.in_(organizations)
        )
        return await self._db.scalar(query)

    async def existing(
        self, organization_id: UUID, project_ids: Collection[UUID]
    ) -> Sequence[UUID]:
        """The ids of those projects that an organization has, the deleted ones left out."""
        query = select(Project.id).where(
            Project.organization_id == organization_id, Project.id.in_(project_ids), _THERE
        )
        return (await self._db.scalars(query)).all()

    async def count(self, organization_id: UUID) -> int:
        """How many projects an organization has, the deleted ones left out."""
        query = select(func.count()).where(Project.organization_id == organization_id, _THERE)
        return await self._db.scalar(query) or 0

    async def list(
        self,
        organization_id: UUID,
        which: ProjectFilter,
        order: Order,
        paging: Paging,
        cursors: Cursors,
    ) -> Page[Project]:
        """A page of an organization's projects."""
        query = select(Project).where(
            Project.organization_id == organization_id, *which.conditions()
        )
        return await fetch_page(self._db, query, order, paging, cursors)

    async def _lock(
        self, project_id: UUID, organizations: Collection[UUID], state: ColumnElement[bool]
    ) -> Project | None:
        query = select(Project).where(
            Project.id == project_id, Project.organization_id.in_(organizations), state
        )
        return await self._db.scalar(query.with_for_update(key_share=True))


def order(sort_by: str, sort_order: str) -> Order:
    """The order that a request names; the newest first if it names none."""
    return Order((SORTS[sort_by or "createdAt"], Project.id), descending=sort_order != "asc")


async def delete_gone(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes the rows of projects that can no longer be restored."""
    return await delete_batch(db, Project.id, Project.deleted_at <= now - RESTORABLE, limit)


def _in_state(status: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """The condition for a status; "" stands for all that is not deleted."""
    return {
        "": (_THERE,),
        ACTIVE: (_THERE, Project.archived_at.is_(None)),
        ARCHIVED: (_THERE, Project.archived_at.is_not(None)),
        DELETED: (_restorable(now),),
    }[status]


def _restorable(now: datetime) -> ColumnElement[bool]:
    return Project.deleted_at > now - RESTORABLE


# Asked for many projects at once and outside of any call's transaction.
VIEW = keyed_query(
    select(*(getattr(Project, field.name) for field in fields(ProjectView))).where(
        _THERE, is_alive(Project.organization_id)
    ),
    Project.id,
)
