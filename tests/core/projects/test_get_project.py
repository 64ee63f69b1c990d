"""GetProject: to whom a project exists."""

from __future__ import annotations

import grpc
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.projects.v1 import project_service_pb2 as pb

from portico_kit.ids import new_id
from tests.core.calls import headers
from tests.core.conftest import Refused
from tests.core.projects.conftest import ProjectClient
from tests.core.world import Person, World

NOT_FOUND = grpc.StatusCode.NOT_FOUND


async def test_an_unchanged_project_is_not_sent_again(projects: ProjectClient) -> None:
    project = await projects.create()
    request = pb.GetProjectRequest(project_id=project.id)
    first = projects.world.projects.GetProject(request, metadata=projects.metadata)
    await first
    tag = (await headers(first))["etag"]
    again = projects.world.projects.GetProject(
        request, metadata=(*projects.metadata, ("if-none-match", tag))
    )
    await again
    assert (await headers(again))["x-http-code"] == "304"


async def test_to_others_it_does_not_exist_in_the_words_for_what_nobody_has(
    projects: ProjectClient, stranger: Person, refused: Refused
) -> None:
    project = await projects.create()
    theirs = projects.by(stranger.metadata)
    hidden = await refused(theirs.get(project.id), NOT_FOUND, "PROJECT_NOT_FOUND")
    assert hidden == await refused(theirs.get(str(new_id())), NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_a_deleted_one_is_gone(projects: ProjectClient, refused: Refused) -> None:
    project = await projects.create()
    await projects.delete(project.id)
    await refused(projects.get(project.id), NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_a_deleted_organization_takes_its_projects_along(
    world: World, projects: ProjectClient, refused: Refused
) -> None:
    project = await projects.create()
    request = organizations.DeleteOrganizationRequest(organization_id=projects.organization_id)
    await world.organizations.DeleteOrganization(request, metadata=projects.metadata)
    await refused(projects.get(project.id), NOT_FOUND, "PROJECT_NOT_FOUND")
    await refused(projects.list(), NOT_FOUND, "NOT_FOUND")
    await refused(projects.restore(project.id), NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_who_is_removed_sees_it_no_more(
    world: World, projects: ProjectClient, refused: Refused
) -> None:
    project = await projects.create()
    member = await world.new_member(projects.organization_id, projects.owner, "member")
    theirs = projects.by(member.metadata)
    assert (await theirs.get(project.id)).id == project.id
    request = organizations.RemoveMemberRequest(
        organization_id=projects.organization_id, user_id=member.id
    )
    await world.organizations.RemoveMember(request, metadata=projects.metadata)
    await refused(theirs.get(project.id), NOT_FOUND, "PROJECT_NOT_FOUND")
    await refused(theirs.update(project.id, name="Mine"), NOT_FOUND, "PROJECT_NOT_FOUND")
