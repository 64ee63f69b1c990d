"""Transferring a project: by a person who owns both organizations, and told to both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from uuid import UUID

import grpc
import pytest
from portico.organizations.v1.organization_service_pb2 import DeleteOrganizationRequest
from portico.projects.v1 import project_service_pb2 as pb
from portico.projects.v1.project_pb2 import Project
from sqlalchemy import text

from portico_kit.ids import new_id
from portico_kit.testing.waiting import eventually
from server.features.projects.service import MAX_PROJECTS
from tests.core.calls import race
from tests.core.conftest import Refused
from tests.core.projects.conftest import ProjectClient
from tests.core.records import audit_entry, event, event_types
from tests.core.world import Person, World

DENIED = grpc.StatusCode.PERMISSION_DENIED
NOT_FOUND = grpc.StatusCode.NOT_FOUND
REFUSED = grpc.StatusCode.FAILED_PRECONDITION


async def test_the_project_is_there_and_not_here(projects: ProjectClient, second: str) -> None:
    project = await projects.create(description="Our front door")
    moved = await projects.transfer(project.id, second)
    assert (moved.id, moved.organization_id) == (project.id, second)
    assert (moved.name, moved.description) == (project.name, project.description)
    assert await projects.get(project.id) == moved
    there = ProjectClient(projects.world, second, projects.owner, projects.metadata)
    assert (await projects.names(), await there.names()) == ([], ["Website"])


async def test_both_hear_of_it_and_neither_of_the_other(
    projects: ProjectClient, second: str
) -> None:
    world, first = projects.world, projects.organization_id
    project = await projects.create()
    await projects.transfer(project.id, second)
    left = await event(world, first, "project.transferred")
    come = await event(world, second, "project.transferred")
    assert left.data["id"] == come.data["id"] == project.id
    assert (left.data.get("organizationId", ""), come.data["organizationId"]) == ("", second)
    assert second not in json.dumps(left.data)
    assert first not in json.dumps(come.data)


async def test_the_audit_logs_of_both_say_from_where_to_where(
    projects: ProjectClient, second: str
) -> None:
    project = await projects.create()
    await projects.transfer(project.id, second)
    left = await audit_entry(projects.world, projects.organization_id, "project.transferred")
    come = await audit_entry(projects.world, second, "project.transferred")
    assert left.details["transferredTo"] == second
    assert come.details["transferredFrom"] == projects.organization_id


@pytest.mark.parametrize("role", ["viewer", "member", "admin"])
async def test_only_an_owner_of_where_it_is_transfers_it(
    world: World, projects: ProjectClient, refused: Refused, role: str
) -> None:
    project = await projects.create()
    person = await world.new_member(projects.organization_id, projects.owner, role)
    theirs = await world.new_organization(person)
    attempt = projects.by(person.metadata).transfer(project.id, theirs)
    await refused(attempt, DENIED, "PERMISSION_DENIED")


@pytest.mark.parametrize("role", ["viewer", "member", "admin"])
async def test_only_an_owner_of_where_it_goes_transfers_it(
    world: World, projects: ProjectClient, stranger: Person, refused: Refused, role: str
) -> None:
    project = await projects.create()
    theirs = await world.new_organization(stranger)
    person = await world.new_member(theirs, stranger, role)
    here = await world.new_organization(person)
    own = ProjectClient(world, here, person, person.metadata)
    project = await own.create()
    await refused(own.transfer(project.id, theirs), DENIED, "PERMISSION_DENIED")
    assert (await own.get(project.id)).organization_id == here


async def test_an_organization_of_others_does_not_exist(
    world: World, projects: ProjectClient, stranger: Person, refused: Refused
) -> None:
    project = await projects.create()
    theirs = await world.new_organization(stranger)
    hidden = await refused(projects.transfer(project.id, theirs), NOT_FOUND, "NOT_FOUND")
    nothing = projects.transfer(project.id, str(new_id()))
    assert hidden == await refused(nothing, NOT_FOUND, "NOT_FOUND")


async def test_a_project_of_others_does_not_exist(
    projects: ProjectClient, stranger: Person, refused: Refused
) -> None:
    project = await projects.create()
    theirs = await projects.world.new_organization(stranger)
    attempt = projects.by(stranger.metadata).transfer(project.id, theirs)
    await refused(attempt, NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_an_api_key_transfers_nothing(
    projects: ProjectClient, second: str, refused: Refused
) -> None:
    world, project = projects.world, await projects.create()
    key = await world.new_key(projects.organization_id, projects.owner, "projects:transfer")
    attempt = projects.by(await world.key_metadata(key.secret)).transfer(project.id, second)
    found = await refused(attempt, DENIED, "PERMISSION_DENIED")
    assert found.metadata == {"needed": "user"}


async def test_it_is_not_transferred_to_where_it_is(
    projects: ProjectClient, refused: Refused
) -> None:
    project = await projects.create()
    attempt = projects.transfer(project.id, projects.organization_id)
    await refused(attempt, REFUSED, "PROJECT_ALREADY_THERE")


async def test_an_archived_or_deleted_one_stays(
    projects: ProjectClient, second: str, refused: Refused
) -> None:
    project = await projects.create()
    await projects.archive(project.id)
    await refused(projects.transfer(project.id, second), REFUSED, "PROJECT_ARCHIVED")
    await projects.delete(project.id)
    await refused(projects.transfer(project.id, second), NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_where_it_goes_there_is_room_for_it(
    projects: ProjectClient, second: str, refused: Refused
) -> None:
    project = await projects.create()
    await projects.fill(second, MAX_PROJECTS["free"])
    await refused(projects.transfer(project.id, second), REFUSED, "PROJECT_LIMIT_REACHED")
    assert await event_types(projects.world, second) == ["organization.created"]


async def test_of_many_transfers_at_once_one_happens(projects: ProjectClient, second: str) -> None:
    project = await projects.create()
    moved, reasons = await race(*(projects.transfer(project.id, second) for _ in range(4)))
    assert len(moved) == 1
    assert set(reasons) <= {"CONCURRENT_UPDATE", "PROJECT_ALREADY_THERE"}
    assert (await event_types(projects.world, second)).count("project.transferred") == 1


async def test_transfers_in_both_directions_do_not_wait_for_each_other(
    projects: ProjectClient, second: str
) -> None:
    there = ProjectClient(projects.world, second, projects.owner, projects.metadata)
    here = [await projects.create() for _ in range(4)]
    back = [await there.create() for _ in range(4)]
    moved, reasons = await race(
        *(projects.transfer(project.id, second) for project in here),
        *(there.transfer(project.id, projects.organization_id) for project in back),
    )
    assert (len(moved), reasons) == (8, [])


async def test_it_does_not_get_lost_in_an_organization_that_is_deleted_meanwhile(
    world: World, projects: ProjectClient, second: str
) -> None:
    project = await projects.create()
    deletion = world.organizations.DeleteOrganization(
        DeleteOrganizationRequest(organization_id=second), metadata=projects.metadata
    )
    _, reasons = await race(projects.transfer(project.id, second), deletion)
    if reasons:
        assert reasons == ["NOT_FOUND"]
        assert (await projects.get(project.id)).organization_id == projects.organization_id


async def test_a_repeated_transfer_happens_once_and_gets_its_answer(
    projects: ProjectClient, second: str
) -> None:
    project = await projects.create()
    request = pb.TransferProjectRequest(project_id=project.id, target_organization_id=second)
    metadata = (*projects.metadata, ("idempotency-key", str(new_id())))
    transfer = projects.world.projects.TransferProject
    assert await transfer(request, metadata=metadata) == await transfer(request, metadata=metadata)
    assert (await event_types(projects.world, second)).count("project.transferred") == 1


async def waiting_for_locks(world: World) -> int:
    """How many transactions wait for another one."""
    query = text(
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
    )
    async with world.engine.connect() as connection:
        return int(await connection.scalar(query) or 0)


async def while_it_waits(
    projects: ProjectClient, locked: str, call: Awaitable[object], *changes: str
) -> object:
    """The outcome of a call that waits for an organization while changes are committed.

    Args:
        locked: the organization.
        changes: statements, with the caller as :caller and the organization as :locked.
    """
    world = projects.world
    values = {"caller": UUID(projects.owner.id), "locked": UUID(locked)}
    async with world.engine.connect() as connection:
        lock = "select from organizations where id = :locked for no key update"
        await connection.execute(text(lock), {"locked": values["locked"]})
        waiting = asyncio.ensure_future(call)
        await eventually(lambda: waiting_for_locks(world))
        for change in changes:
            statement = text(change)
            used = {name: values[name] for name in values if f":{name}" in change}
            await connection.execute(statement, used)
        await connection.commit()
    return await waiting


DEMOTED = (
    "update memberships set role = 'admin' where user_id = :caller and organization_id = :locked"
)
REMOVED = "delete from memberships where user_id = :caller and organization_id = :locked"
SUSPENDED = "update users set status = 'suspended' where id = :caller"


@pytest.mark.parametrize("where", ["source", "target"])
@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        (DEMOTED, DENIED, "PERMISSION_DENIED"),
        (REMOVED, NOT_FOUND, "NOT_FOUND"),
        (SUSPENDED, NOT_FOUND, "NOT_FOUND"),
    ],
    ids=["demoted", "removed", "suspended"],
)
async def test_who_stops_being_an_owner_while_the_transfer_waits_transfers_nothing(
    projects: ProjectClient,
    second: str,
    refused: Refused,
    where: str,
    change: str,
    code: grpc.StatusCode,
    reason: str,
) -> None:
    project = await projects.create()
    locked = projects.organization_id if where == "source" else second
    attempt = projects.transfer(project.id, second)
    await refused(while_it_waits(projects, locked, attempt, change), code, reason)
    assert "project.transferred" not in await event_types(projects.world, second)


@pytest.mark.parametrize("verb", ["create", "restore"])
async def test_who_is_removed_while_the_call_waits_creates_and_restores_nothing(
    projects: ProjectClient, refused: Refused, verb: str
) -> None:
    project = await projects.create()
    await projects.delete(project.id)
    attempt = projects.create("late") if verb == "create" else projects.restore(project.id)
    here = projects.organization_id
    await refused(while_it_waits(projects, here, attempt, REMOVED), NOT_FOUND, "NOT_FOUND")
    last = (await event_types(projects.world, here))[-1]
    assert last == "project.deleted"


async def test_a_hundred_transfers_back_and_forth_end_with_each_project_in_one_place(
    projects: ProjectClient, second: str
) -> None:
    here = projects.organization_id
    made = [await projects.create(f"Project {number}") for number in range(5)]
    moved: list[Project] = []
    reasons: list[str] = []
    for _ in range(10):
        came, refusals = await race(
            *(projects.transfer(one.id, target) for one in made for target in (second, here))
        )
        moved, reasons = moved + came, reasons + refusals
    assert len(moved) >= len(made)
    assert set(reasons) <= {"CONCURRENT_UPDATE", "PROJECT_ALREADY_THERE"}
    there = ProjectClient(projects.world, second, projects.owner, projects.metadata)
    assert sorted([*await projects.names(), *await there.names()]) == [one.name for one in made]
    for organization_id in (here, second):
        told = await event_types(projects.world, organization_id)
        assert told.count("project.transferred") == len(moved)


async def test_a_call_that_is_broken_off_transfers_nothing(
    projects: ProjectClient, second: str
) -> None:
    world, project = projects.world, await projects.create()
    async with world.engine.connect() as connection:
        lock = "select from organizations where id = :id for no key update"
        await connection.execute(text(lock), {"id": UUID(second)})
        waiting = asyncio.ensure_future(projects.transfer(project.id, second))
        await eventually(lambda: waiting_for_locks(world))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await connection.rollback()
    found = await projects.get(project.id)
    told = (await event_types(world, second)).count("project.transferred")
    assert (found.organization_id, told) in {(projects.organization_id, 0), (second, 1)}


async def test_a_core_that_dies_in_the_middle_has_transferred_nothing(
    projects: ProjectClient, second: str
) -> None:
    """Its connection ends while the transfer is on its way, as a killed process leaves it."""
    world, project = projects.world, await projects.create()
    async with world.engine.connect() as connection:
        # The project has changed; what the audit log says of it waits.
        await connection.execute(text("lock table audit_log in share mode"))
        waiting = asyncio.ensure_future(projects.transfer(project.id, second))
        await eventually(lambda: waiting_for_locks(world))
        kill = (
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )
        await connection.execute(text(kill))
        assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], Exception)
        await connection.rollback()
    assert await projects.get(project.id) == project
    assert "project.transferred" not in await event_types(world, projects.organization_id)
    assert "project.transferred" not in await event_types(world, second)
    assert (await projects.transfer(project.id, second)).organization_id == second


async def test_who_has_left_where_it_went_does_not_get_the_answer_again(
    projects: ProjectClient, second: str, refused: Refused
) -> None:
    world, project = projects.world, await projects.create()
    request = pb.TransferProjectRequest(project_id=project.id, target_organization_id=second)
    metadata = (*projects.metadata, ("idempotency-key", str(new_id())))
    await world.projects.TransferProject(request, metadata=metadata)
    async with world.engine.begin() as connection:
        values = {"caller": UUID(projects.owner.id), "locked": UUID(second)}
        await connection.execute(text(REMOVED), values)
    attempt = world.projects.TransferProject(request, metadata=metadata)
    await refused(attempt, NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_what_comes_in_at_once_from_every_side_fills_an_organization_and_no_more(
    projects: ProjectClient, second: str
) -> None:
    there = ProjectClient(projects.world, second, projects.owner, projects.metadata)
    deleted, moving = [await there.create() for _ in range(4)], []
    for project in deleted:
        await there.delete(project.id)
    moving = [await projects.create() for _ in range(4)]
    await projects.fill(second, MAX_PROJECTS["free"] - 3)
    came, reasons = await race(
        *(there.restore(project.id) for project in deleted),
        *(projects.transfer(project.id, second) for project in moving),
        *(there.create() for _ in range(4)),
    )
    assert (len(came), set(reasons)) == (3, {"PROJECT_LIMIT_REACHED"})
    assert len((await there.list(limit=100)).projects) == MAX_PROJECTS["free"]
