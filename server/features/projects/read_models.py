"""What is read of projects where nothing is changed, and what their times say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

ACTIVE = "active"
ARCHIVED = "archived"
DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class ProjectView:
    """A project to read only; it costs a fraction of a row that can change."""

    id: UUID
    organization_id: UUID
    name: str
    description: str
    archived_at: datetime | None
    deleted_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def status(self) -> str:
        """ "active", "archived" or "deleted"."""
        return status(self.archived_at, self.deleted_at)


def status(archived_at: datetime | None, deleted_at: datetime | None) -> str:
    """ "active", "archived" or "deleted"."""
    if deleted_at is not None:
        return DELETED
    return ACTIVE if archived_at is None else ARCHIVED
