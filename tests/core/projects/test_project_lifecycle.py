"""Archiving, restoring and deleting: each says what it does once, and what is over stays over."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import grpc
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.projects.models import Project
from server.features.projects.repository import delete_gone
from server.features.projects.service import MAX_PROJECTS
from tests.core.calls import race
from tests.core.conftest import Refused
from tests.core.projects.conftest import ProjectClient
from tests.core.records import event, event_types
from tests.core.world import World

REFUSED = grpc.StatusCode.FAILED_PRECONDITION


async def told(projects: ProjectClient) -> list[str]:
    """What webhooks hear of projects, oldest first."""
    found = await event_types(projects.world, projects.organization_id)
    return [name.removeprefix("project.") for name in found if name.startswith("project.")]


async def test_an_archived_project_can_be_read_and_comes_back(projects: ProjectClient) -> None:
    project = await projects.create()
    archived = await projects.archive(project.id)
    assert (archived.status, archived.HasField("archived_at")) == ("archived", True)
    assert await projects.get(project.id) == archived
    restored = await projects.restore(project.id)
    assert (restored.status, restored.HasField("archived_at")) == ("active", False)
    assert await told(projects) == ["created", "archived", "restored"]


async def test_what_is_so_already_is_refused_and_not_told(
    projects: ProjectClient, refused: Refused
) -> None:
    project = await projects.create()
    await refused(projects.restore(project.id), REFUSED, "PROJECT_ACTIVE")
    await projects.archive(project.id)
    await refused(projects.archive(project.id), REFUSED, "PROJECT_ARCHIVED")
    assert await told(projects) == ["created", "archived"]


async def test_of_many_at_once_one_archives_restores_and_deletes(projects: ProjectClient) -> None:
    project = await projects.create()
    for act, reason in (
        (projects.archive, "PROJECT_ARCHIVED"),
        (projects.restore, "PROJECT_ACTIVE"),
        (projects.delete, "PROJECT_NOT_FOUND"),
    ):
        done, reasons = await race(*(act(project.id) for _ in range(4)))
        assert (len(done), reasons) == (1, [reason] * 3)
    assert await told(projects) == ["created", "archived", "restored", "deleted"]


async def test_the_event_of_a_deletion_says_so(projects: ProjectClient) -> None:
    project = await projects.create()
    await projects.delete(project.id)
    found = await event(projects.world, projects.organization_id, "project.deleted")
    assert (found.data["id"], found.data["status"]) == (project.id, "deleted")


async def test_a_deleted_project_comes_back_active(projects: ProjectClient) -> None:
    project = await projects.create(description="Our front door")
    await projects.archive(project.id)
    await projects.delete(project.id)
    restored = await projects.restore(project.id)
    assert (restored.status, restored.description) == ("active", "Our front door")
    assert await projects.get(project.id) == restored


async def test_a_deleted_project_comes_back_only_if_there_is_room(
    projects: ProjectClient, refused: Refused
) -> None:
    project = await projects.create()
    await projects.delete(project.id)
    await projects.fill(projects.organization_id, MAX_PROJECTS["free"])
    await refused(projects.restore(project.id), REFUSED, "PROJECT_LIMIT_REACHED")


async def test_an_archived_project_comes_back_where_there_is_no_room(
    projects: ProjectClient,
) -> None:
    project = await projects.create()
    await projects.archive(project.id)
    await projects.fill(projects.organization_id, MAX_PROJECTS["free"])
    assert (await projects.restore(project.id)).status == "active"


async def test_after_30_days_it_is_gone_whether_the_cleanup_has_run_or_not(
    world: World, projects: ProjectClient, refused: Refused
) -> None:
    project = await projects.create()
    await projects.delete(project.id)
    with world.clock.later(timedelta(days=30, minutes=1)):
        later = projects.by((await world.sign_in(projects.owner.email)).metadata)
        attempt = later.restore(project.id)
        await refused(attempt, grpc.StatusCode.NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_the_cleanup_takes_only_what_cannot_come_back(
    world: World, projects: ProjectClient
) -> None:
    kept, gone = await projects.create("kept"), await projects.create("gone")
    await projects.delete(gone.id)

    async def remaining() -> set[str]:
        query = select(Project.id).where(Project.organization_id == UUID(projects.organization_id))
        async with AsyncSession(world.engine) as db:
            return {str(project_id) for project_id in await db.scalars(query)}

    for days, expected in ((29, {kept.id, gone.id}), (31, {kept.id})):
        async with AsyncSession(world.engine) as db, db.begin():
            await delete_gone(db, world.clock() + timedelta(days=days), 1000)
        assert await remaining() == expected
