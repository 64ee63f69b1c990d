"""Changing a project: only what is given, and never over somebody else's change."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from portico.projects.v1 import project_service_pb2 as pb

from tests.core.calls import headers, race, version
from tests.core.conftest import Refused
from tests.core.projects.conftest import ProjectClient
from tests.core.records import event, event_types


async def test_only_the_given_fields_change(projects: ProjectClient) -> None:
    project = await projects.create(description="Our front door")
    changed = await projects.update(project.id, name="Shop")
    assert (changed.name, changed.description) == ("Shop", "Our front door")
    assert changed.updated_at.ToDatetime() > project.updated_at.ToDatetime()
    told = await event(projects.world, projects.organization_id, "project.updated")
    assert told.data["name"] == "Shop"


async def test_a_description_is_cleared(projects: ProjectClient) -> None:
    project = await projects.create(description="Our front door")
    mask = FieldMask(paths=["description"])
    assert (await projects.update(project.id, update_mask=mask)).description == ""


async def test_a_name_is_not_cleared(projects: ProjectClient, refused: Refused) -> None:
    project = await projects.create()
    attempt = projects.update(project.id, update_mask=FieldMask(paths=["name"]))
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.reasons == ("NOT_CLEARABLE",)


async def test_what_changes_nothing_is_not_told(projects: ProjectClient) -> None:
    project = await projects.create()
    assert await projects.update(project.id, name=project.name) == project
    assert await event_types(projects.world, projects.organization_id) == [
        "organization.created",
        "project.created",
    ]


async def test_a_change_of_another_version_is_refused(
    projects: ProjectClient, refused: Refused
) -> None:
    project = await projects.create()
    request = pb.GetProjectRequest(project_id=project.id)
    call = projects.world.projects.GetProject(request, metadata=projects.metadata)
    await call
    tag = (await headers(call))["etag"]
    assert version(tag) == 1
    await projects.update(project.id, if_match=tag, name="First")
    attempt = projects.update(project.id, if_match=tag, name="Second")
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert (await projects.get(project.id)).name == "First"


async def test_of_two_changes_of_one_version_one_wins(projects: ProjectClient) -> None:
    project = await projects.create()
    changed, reasons = await race(
        *(projects.update(project.id, if_match='"1"', name=f"Name {n}") for n in range(4))
    )
    assert (len(changed), set(reasons)) == (1, {"ETAG_MISMATCH"})


@pytest.mark.parametrize("state", ["archived", "deleted"])
async def test_what_is_not_active_is_not_changed(
    projects: ProjectClient, refused: Refused, state: str
) -> None:
    project = await projects.create()
    if state == "archived":
        await projects.archive(project.id)
        expected = (grpc.StatusCode.FAILED_PRECONDITION, "PROJECT_ARCHIVED")
    else:
        await projects.delete(project.id)
        expected = (grpc.StatusCode.NOT_FOUND, "PROJECT_NOT_FOUND")
    await refused(projects.update(project.id, name="Changed"), *expected)
