"""Creating projects: what is shown and recorded, what a name may be, and how many there may be."""

from __future__ import annotations

import grpc
import pytest
from portico.organizations.v1.organization_service_pb2 import DeleteOrganizationRequest
from portico.projects.v1 import project_service_pb2 as pb

from server.features.projects.service import MAX_PROJECTS
from tests.core.calls import headers, race
from tests.core.conftest import Refused
from tests.core.projects.conftest import ProjectClient
from tests.core.records import audit_entry, event
from tests.core.world import World


async def test_the_answer_shows_the_project_and_where_it_is(projects: ProjectClient) -> None:
    request = pb.CreateProjectRequest(
        organization_id=projects.organization_id, name="Website", description="Our front door"
    )
    call = projects.world.projects.CreateProject(request, metadata=projects.metadata)
    project = (await call).project
    assert (project.name, project.description) == ("Website", "Our front door")
    assert (project.organization_id, project.status) == (projects.organization_id, "active")
    assert (await headers(call))["location"] == f"/api/v1/projects/{project.id}"
    assert await projects.get(project.id) == project


async def test_webhooks_and_the_audit_log_hear_of_it(projects: ProjectClient) -> None:
    project = await projects.create()
    told = await event(projects.world, projects.organization_id, "project.created")
    entry = await audit_entry(projects.world, projects.organization_id, "project.created")
    assert told.data["id"] == str(entry.target_id) == project.id
    assert (told.data["name"], entry.actor_kind) == ("Website", "user")


async def test_two_projects_may_have_the_same_name(projects: ProjectClient) -> None:
    assert (await projects.create("Twin")).id != (await projects.create("Twin")).id


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "two\nlines", "\u200b", " Website"])
async def test_a_name_that_is_none_is_refused(
    projects: ProjectClient, refused: Refused, name: str
) -> None:
    attempt = projects.create(name)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert set(found.fields) == {"name"}


async def test_a_description_of_500_characters_is_the_longest(
    projects: ProjectClient, refused: Refused
) -> None:
    longest = "\U0001f3e0" * 500
    assert (await projects.create(description=longest)).description == longest
    attempt = projects.create(description="x" * 501)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("description",)


async def test_an_api_key_with_the_scope_creates_projects(projects: ProjectClient) -> None:
    world = projects.world
    key = await world.new_key(projects.organization_id, projects.owner, "projects:write")
    await projects.by(await world.key_metadata(key.secret)).create("By a program")
    entry = await audit_entry(world, projects.organization_id, "project.created")
    assert (entry.actor_kind, str(entry.actor_id)) == ("key", key.api_key.id)


async def test_an_api_key_without_the_scope_does_not(
    projects: ProjectClient, refused: Refused
) -> None:
    world = projects.world
    key = await world.new_key(projects.organization_id, projects.owner, "projects:read")
    attempt = projects.by(await world.key_metadata(key.secret)).create()
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_an_organization_has_as_many_as_its_tier_allows(
    projects: ProjectClient, refused: Refused
) -> None:
    await projects.fill(projects.organization_id, MAX_PROJECTS["free"] - 1)
    last = await projects.create("The last one")
    attempt = projects.create("One too many")
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "PROJECT_LIMIT_REACHED")
    await projects.archive(last.id)
    attempt = projects.create("An archived one counts")
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "PROJECT_LIMIT_REACHED")
    await projects.delete(last.id)
    await projects.create("In the place of a deleted one")
    await projects.set_tier("basic")
    await projects.create("More with a larger tier")


async def test_of_many_that_want_the_last_place_one_gets_it(projects: ProjectClient) -> None:
    await projects.fill(projects.organization_id, MAX_PROJECTS["free"] - 1)
    created, reasons = await race(*(projects.create(f"Racer {n}") for n in range(5)))
    assert (len(created), set(reasons)) == (1, {"PROJECT_LIMIT_REACHED"})


async def test_what_is_created_while_the_organization_is_deleted_is_not_left_behind(
    world: World, projects: ProjectClient
) -> None:
    deletion = world.organizations.DeleteOrganization(
        DeleteOrganizationRequest(organization_id=projects.organization_id),
        metadata=projects.metadata,
    )
    _, reasons = await race(deletion, *(projects.create() for _ in range(4)))
    assert set(reasons) <= {"NOT_FOUND"}
