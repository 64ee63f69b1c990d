"""The project as a row."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base, Identified, Timestamped, Versioned
from server.features.projects.errors import ProjectActiveError, ProjectArchivedError
from server.features.projects.read_models import ACTIVE, status


class Project(Identified, Timestamped, Versioned, Base):
    """A part of an organization's work."""

    __tablename__ = "projects"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(String(500), default="")
    archived_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    __mapper_args__ = {"version_id_col": Versioned.version}
    __table_args__ = (
        Index("ix_projects_organization_id_created_at_id", "organization_id", "created_at", "id"),
        Index("ix_projects_organization_id_name_id", "organization_id", "name", "id"),
        Index(
            "ix_projects_deleted_at", "deleted_at", postgresql_where=text("deleted_at is not null")
        ),
    )

    @property
    def status(self) -> str:
        """ "active", "archived" or "deleted"."""
        return status(self.archived_at, self.deleted_at)

    def archive(self, now: datetime) -> None:
        """Makes the project read-only.

        Raises:
            ProjectArchivedError: if it is already.
        """
        self.require_not_archived()
        self.archived_at = now

    def restore(self) -> None:
        """Makes an archived or a deleted project active.

        Raises:
            ProjectActiveError: if it is already.
        """
        if self.status == ACTIVE:
            raise ProjectActiveError
        self.archived_at = self.deleted_at = None

    def require_not_archived(self) -> None:
        """Refuses any change of an archived project.

        Raises:
            ProjectArchivedError: if it is archived.
        """
        if self.archived_at is not None:
            raise ProjectArchivedError
