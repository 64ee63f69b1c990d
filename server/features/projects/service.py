"""Projects: the verbs. Each looks, decides and answers.

Who needs an organization to stay as it is locks it before its projects.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from portico.projects.v1 import project_service_pb2 as pb
from portico.projects.v1.project_pb2 import Project as ProjectMessage

from portico_kit.call import Call
from portico_kit.changes import changed_fields
from portico_kit.errors import ConcurrentUpdateError, NotFoundError, PermissionDeniedError
from portico_kit.ids import new_id, parse_id
from portico_kit.paging import Cursors
from server.features.organizations.facade import Tenants
from server.features.projects import messages
from server.features.projects.errors import (
    ProjectAlreadyThereError,
    ProjectLimitReachedError,
    ProjectNotFoundError,
)
from server.features.projects.facade import Projects
from server.features.projects.models import Project
from server.features.projects.read_models import DELETED
from server.features.projects.repository import ProjectFilter, ProjectRepository, order

# How many projects an organization may have, by its tier.
MAX_PROJECTS: Mapping[str, int] = {
    "free": 10,
    "basic": 100,
    "pro": 1_000,
    "enterprise": 10_000,
}


@dataclass(frozen=True, slots=True)
class Room:
    """How many more projects an organization may have."""

    left: int

    def require_one_more(self) -> None:
        """Refuses a project for which there is no room.

        Raises:
            ProjectLimitReachedError: if the organization has as many as it may.
        """
        if self.left < 1:
            raise ProjectLimitReachedError


@dataclass(frozen=True, slots=True)
class ProjectService:
    """Serves portico.projects.v1.ProjectService."""

    projects: Projects
    tenants: Tenants
    cursors: Cursors

    async def CreateProject(
        self, request: pb.CreateProjectRequest, call: Call
    ) -> pb.CreateProjectResponse:
        call.require_unbound()
        organization_id = parse_id(request.organization_id)
        (await self._room(organization_id, call)).require_one_more()
        project = Project(
            id=new_id(),
            organization_id=organization_id,
            name=request.name,
            description=request.description,
        )
        ProjectRepository(call.db).add(project)
        await call.db.flush()
        call.location(f"/api/v1/projects/{project.id}")
        return pb.CreateProjectResponse(project=_record("project.created", project, call))

    async def ListProjects(
        self, request: pb.ListProjectsRequest, call: Call
    ) -> pb.ListProjectsResponse:
        page = await ProjectRepository(call.db).list(
            parse_id(request.organization_id),
            ProjectFilter(request.search, request.status, call.now, call.project_ids),
            order(request.sort_by, request.sort_order),
            self.cursors.paging(request),
            self.cursors,
        )
        return pb.ListProjectsResponse(
            projects=[messages.project(row) for row in page.rows],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def GetProject(self, request: pb.GetProjectRequest, call: Call) -> pb.GetProjectResponse:
        project = await self.projects.find(_visible_id(request.project_id, call))
        if project is None or project.organization_id not in call.tenants:
            raise ProjectNotFoundError
        call.authorize(project.organization_id)
        call.etag(project.version)
        return pb.GetProjectResponse(project=messages.project(project))

    async def UpdateProject(
        self, request: pb.UpdateProjectRequest, call: Call
    ) -> pb.UpdateProjectResponse:
        project = await _find_to_change(request.project_id, call)
        project.require_not_archived()
        changed = changed_fields(request)
        if "name" in changed:
            project.name = request.name
        if "description" in changed:
            project.description = request.description
        return pb.UpdateProjectResponse(project=await _changed("project.updated", project, call))

    async def ArchiveProject(
        self, request: pb.ArchiveProjectRequest, call: Call
    ) -> pb.ArchiveProjectResponse:
        project = await _find_to_change(request.project_id, call)
        project.archive(call.now)
        return pb.ArchiveProjectResponse(project=await _changed("project.archived", project, call))

    async def RestoreProject(
        self, request: pb.RestoreProjectRequest, call: Call
    ) -> pb.RestoreProjectResponse:
        project_id = _visible_id(request.project_id, call)
        owner = await _owner(project_id, call)
        room = await self._room(owner, call)
        project = await _find_to_restore(project_id, call)
        _require_still_owned(project, owner)
        if project.status == DELETED:
            room.require_one_more()
        project.restore()
        return pb.RestoreProjectResponse(project=await _changed("project.restored", project, call))

    async def DeleteProject(
        self, request: pb.DeleteProjectRequest, call: Call
    ) -> pb.DeleteProjectResponse:
        project = await _find_to_change(request.project_id, call)
        project.deleted_at = call.now
        await _changed("project.deleted", project, call)
        return pb.DeleteProjectResponse()

    async def TransferProject(
        self, request: pb.TransferProjectRequest, call: Call
    ) -> pb.TransferProjectResponse:
        call.require_unbound()
        project_id, target = parse_id(request.project_id), parse_id(request.target_organization_id)
        source = await _owner(project_id, call)
        _require_right_to_receive(target, call)
        room = await self._room(target, call, source)
        project = await _find_to_change(request.project_id, call)
        _require_still_owned(project, source)
        project.require_not_archived()
        if source == target:
            raise ProjectAlreadyThereError
        room.require_one_more()
        project.organization_id = target
        return pb.TransferProjectResponse(project=await _transferred(project, source, call))

    async def _room(self, organization_id: UUID, call: Call, *beside: UUID) -> Room:
        """How many more projects an organization may have, until the call ends.

        Args:
            beside: what is locked together with it.
        """
        tiers = await self.tenants.lock(call.db, organization_id, *beside)
        if len(tiers) < len({organization_id, *beside}):
            raise NotFoundError
        await self._require_still_allowed(call, tiers)
        held = await ProjectRepository(call.db).count(organization_id)
        return Room(MAX_PROJECTS[tiers[organization_id]] - held)

    async def _require_still_allowed(self, call: Call, locked: Collection[UUID]) -> None:
        """Refuses a person whose rights were taken while the call waited for the lock."""
        if not call.principal.is_person:
            return
        now = await self.tenants.permissions_now(call.db, call.user_id, locked)
        for organization_id in locked:
            if organization_id not in now:
                raise NotFoundError
            if call.method.permission not in call.within_scopes(now[organization_id]):
                raise PermissionDeniedError(permission=call.method.permission)


def _visible_id(project_id: str, call: Call) -> UUID:
    """The id of a project, unless the caller is bound to others."""
    wanted, bound_to = parse_id(project_id), call.project_ids
    if bound_to is not None and wanted not in bound_to:
        raise ProjectNotFoundError
    return wanted


async def _owner(project_id: UUID, call: Call) -> UUID:
    """Which organization has the project, deleted or not; the caller may do this to it."""
    owner = await ProjectRepository(call.db).owner(project_id, call.tenants)
    if owner is None:
        raise ProjectNotFoundError
    call.authorize(owner)
    return owner


async def _find_to_change(project_id: str, call: Call) -> Project:
    """The project, if the caller may do this to it; locked, and as the caller expects it."""
    visible = _visible_id(project_id, call)
    found = await ProjectRepository(call.db).find_to_change(visible, call.tenants)
    return _as_expected(found, call)


async def _find_to_restore(project_id: UUID, call: Call) -> Project:
    """The same; a deleted one, too, which does not exist for who is bound to projects."""
    projects = ProjectRepository(call.db)
    if call.project_ids is not None:
        return _as_expected(await projects.find_to_change(project_id, call.tenants), call)
    return _as_expected(await projects.find_to_restore(project_id, call.tenants, call.now), call)


def _as_expected(project: Project | None, call: Call) -> Project:
    if project is None:
        raise ProjectNotFoundError
    call.authorize(project.organization_id)
    call.expect(project.version)
    return project


def _require_still_owned(project: Project, owner: UUID) -> None:
    """Refuses a project that was transferred between the look and the lock."""
    if project.organization_id != owner:
        raise ConcurrentUpdateError


def _require_right_to_receive(organization_id: UUID, call: Call) -> None:
    """Lets only a person transfer, who has the right to in the other organization, too."""
    if not call.principal.is_person:
        raise PermissionDeniedError(needed="user")
    call.authorize(organization_id)


async def _changed(action: str, project: Project, call: Call) -> ProjectMessage:
    """Records a change, if it is one."""
    await call.db.flush()
    await call.db.refresh(project)
    call.etag(project.version)
    if call.changed(project.version):
        return _record(action, project, call)
    return messages.project(project)


async def _transferred(project: Project, source: UUID, call: Call) -> ProjectMessage:
    """Records a transfer with both organizations. Only the audit log names the other one."""
    await call.db.flush()
    await call.db.refresh(project)
    call.etag(project.version)
    shown, target = messages.project(project), project.organization_id
    # A repetition gets the answer as long as the caller may do this there.
    call.organization_id = target
    call.record(
        "project.transferred",
        organization_id=source,
        target_id=project.id,
        data=messages.left_project(shown),
        details={"transferredTo": str(target)},
    )
    call.record(
        "project.transferred",
        organization_id=target,
        target_id=project.id,
        data=shown,
        details={"transferredFrom": str(source)},
    )
    return shown


def _record(action: str, project: Project, call: Call) -> ProjectMessage:
    shown = messages.project(project)
    call.record(action, organization_id=project.organization_id, target_id=project.id, data=shown)
    return shown
