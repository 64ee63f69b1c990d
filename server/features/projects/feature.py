"""Projects: the parts of an organization's work, which API keys can be bound to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.common.roles import Role
from server.feature import Feature, Served, Tables

if TYPE_CHECKING:
    from server.parts import CoreParts

EVENTS = {
    "project.archived": "A project was archived; it can be read and not changed.",
    "project.created": "A project was created.",
    "project.deleted": "A project was deleted; it can be restored for 30 days.",
    "project.restored": "A project that was archived or deleted is active again.",
    "project.transferred": "A project has come from another organization, or has left for one.",
    "project.updated": "The name or description of a project changed.",
}


def _tables() -> Tables:
    from server.features.projects.models import Project
    from server.features.projects.repository import delete_gone

    return Tables(models=(Project,), cleanup={"projects": delete_gone})


def _provide(parts: CoreParts) -> None:
    from server.features.keys import ports
    from server.features.projects.facade import Projects

    parts.provide(Projects, lambda: Projects(parts.reads))
    parts.provide(ports.Projects, lambda: parts.get(Projects))


def _serve(parts: CoreParts) -> Served:
    from portico.projects.v1.project_service_pb2 import DESCRIPTOR

    from portico_kit.service import Service
    from server.features.organizations.facade import Tenants
    from server.features.projects.facade import Projects
    from server.features.projects.service import ProjectService

    service = ProjectService(parts.get(Projects), parts.get(Tenants), parts.cursors)
    return Served(services=(Service(DESCRIPTOR.services_by_name["ProjectService"], service),))


FEATURE = Feature(
    name="projects",
    permissions={
        "projects:read": Role.VIEWER,
        "projects:write": Role.MEMBER,
        "projects:transfer": Role.OWNER,
    },
    project_permissions=frozenset({"projects:read", "projects:write"}),
    events=EVENTS,
    tables=_tables,
    provide=_provide,
    serve=_serve,
)
