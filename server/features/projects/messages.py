"""The project as the contract shows it."""

from __future__ import annotations

from portico.projects.v1 import project_pb2 as pb

from portico_kit.clock import timestamp
from server.features.projects.models import Project
from server.features.projects.read_models import ProjectView


def project(row: Project | ProjectView) -> pb.Project:
    """The message for a row."""
    return pb.Project(
        id=str(row.id),
        organization_id=str(row.organization_id),
        name=row.name,
        description=row.description,
        status=row.status,
        created_at=timestamp(row.created_at),
        updated_at=timestamp(row.updated_at),
        archived_at=timestamp(row.archived_at),
        deleted_at=timestamp(row.deleted_at),
    )


def left_project(shown: pb.Project) -> pb.Project:
    """The project as the organization sees it that it has left: not who owns it now."""
    left = pb.Project()
    left.CopyFrom(shown)
    left.ClearField("organization_id")
    return left
