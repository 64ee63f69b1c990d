"""API keys that are bound to projects: they see those, and nothing that could do more."""

from __future__ import annotations

from collections.abc import Awaitable
from uuid import UUID

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from portico.keys.v1 import api_key_service_pb2 as pb
from portico.keys.v1.api_key_pb2 import ApiKey
from portico.projects.v1 import project_service_pb2 as projects_pb
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from portico_contract import organization_permissions
from portico_kit.ids import new_id
from server.app import PROJECT_PERMISSIONS
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyClient
from tests.core.keys.imported import ImportClient, foreign_secret
from tests.core.organizations.organization_fixture import GUARDED, invoke, make_organization_fixture
from tests.core.projects.conftest import ProjectClient
from tests.core.projects.conftest import projects as projects
from tests.core.projects.conftest import second as second
from tests.core.records import audit_entry, event
from tests.core.world import Person, World

SCOPES = ("projects:read", "projects:write")
NOT_FOUND = grpc.StatusCode.NOT_FOUND
DENIED = grpc.StatusCode.PERMISSION_DENIED
INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def bound(
    projects: ProjectClient, *project_ids: str, scopes: tuple[str, ...] = SCOPES
) -> tuple[ApiKey, ProjectClient]:
    """A key that is bound to projects, and the organization's projects as it sees them."""
    world = projects.world
    made = await world.new_key(
        projects.organization_id, projects.owner, *scopes, project_ids=project_ids
    )
    return made.api_key, projects.by(await world.key_metadata(made.secret))


async def change(projects: ProjectClient, key: ApiKey, **fields: object) -> ApiKey:
    """The owner changes a key."""
    request = pb.UpdateApiKeyRequest(api_key_id=key.id, **fields)  # type: ignore[arg-type]
    answer = await projects.world.keys.UpdateApiKey(request, metadata=projects.metadata)
    return answer.api_key


async def test_a_bound_key_sees_its_projects_and_no_others(
    projects: ProjectClient, refused: Refused
) -> None:
    own, other = await projects.create("own"), await projects.create("other")
    key, program = await bound(projects, own.id)
    assert list(key.project_ids) == [own.id]
    assert await program.names() == ["own"]
    assert await program.names(search="other") == []
    assert (await program.update(own.id, name="renamed")).name == "renamed"
    attempts: list[Awaitable[object]] = [
        program.get(other.id),
        program.update(other.id, name="mine"),
        program.archive(other.id),
        program.restore(other.id),
        program.delete(other.id),
    ]
    for attempt in attempts:
        await refused(attempt, NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_what_it_is_not_bound_to_does_not_exist_in_the_words_for_what_nobody_has(
    projects: ProjectClient, refused: Refused
) -> None:
    own, other = await projects.create(), await projects.create()
    _, program = await bound(projects, own.id)
    hidden = await refused(program.get(other.id), NOT_FOUND, "PROJECT_NOT_FOUND")
    nothing = program.get(str(new_id()))
    assert hidden == await refused(nothing, NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_a_bound_key_archives_restores_and_deletes_its_project(
    projects: ProjectClient,
) -> None:
    project = await projects.create()
    _, program = await bound(projects, project.id)
    assert (await program.archive(project.id)).status == "archived"
    assert (await program.restore(project.id)).status == "active"
    await program.delete(project.id)
    assert await projects.names() == []


async def test_a_bound_key_neither_creates_nor_transfers_projects(
    projects: ProjectClient, second: str, refused: Refused
) -> None:
    project = await projects.create()
    _, program = await bound(projects, project.id)
    await refused(program.create(), DENIED, "BOUND_TO_PROJECTS")
    await refused(program.transfer(project.id, second), DENIED, "BOUND_TO_PROJECTS")


async def test_a_deleted_project_is_gone_for_it_and_comes_back_with_its_restoration(
    projects: ProjectClient, refused: Refused
) -> None:
    project = await projects.create()
    await projects.create("another, which stays hidden")
    _, program = await bound(projects, project.id)
    await projects.delete(project.id)
    await refused(program.get(project.id), NOT_FOUND, "PROJECT_NOT_FOUND")
    await refused(program.restore(project.id), NOT_FOUND, "PROJECT_NOT_FOUND")
    assert await program.names() == await program.names(status="deleted") == []
    await projects.restore(project.id)
    assert (await program.get(project.id)).id == project.id


async def test_a_transferred_project_is_gone_for_it_and_it_sees_no_others_instead(
    projects: ProjectClient, second: str, refused: Refused
) -> None:
    project = await projects.create()
    await projects.create("another, which stays hidden")
    _, program = await bound(projects, project.id)
    await projects.transfer(project.id, second)
    await refused(program.get(project.id), NOT_FOUND, "PROJECT_NOT_FOUND")
    await refused(program.update(project.id, name="mine"), NOT_FOUND, "PROJECT_NOT_FOUND")
    assert await program.names() == []


async def test_a_deleted_project_is_gone_for_it_whatever_version_it_expects(
    projects: ProjectClient, refused: Refused
) -> None:
    project = await projects.create()
    _, program = await bound(projects, project.id)
    await projects.delete(project.id)
    for tag in ('"1"', '"2"', "*"):
        expecting = program.by((*program.metadata, ("if-match", tag)))
        await refused(expecting.restore(project.id), NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_a_project_that_comes_back_to_its_organization_comes_back_to_its_key_alone(
    projects: ProjectClient, second: str, refused: Refused
) -> None:
    world, project = projects.world, await projects.create()
    there = ProjectClient(world, second, projects.owner, projects.metadata)
    _, here_bound = await bound(projects, project.id)
    await projects.transfer(project.id, second)
    _, there_bound = await bound(there, project.id)
    await refused(here_bound.get(project.id), NOT_FOUND, "PROJECT_NOT_FOUND")
    assert (await there_bound.get(project.id)).id == project.id
    await there.transfer(project.id, projects.organization_id)
    await refused(there_bound.get(project.id), NOT_FOUND, "PROJECT_NOT_FOUND")
    assert await there_bound.names() == []
    assert (await here_bound.get(project.id)).id == project.id


async def test_a_rotated_key_keeps_its_binding(projects: ProjectClient, refused: Refused) -> None:
    own, other = await projects.create("own"), await projects.create("other")
    key, before = await bound(projects, own.id)
    request = pb.RotateApiKeyRequest(api_key_id=key.id, overlap_seconds=3600)
    rotated = await projects.world.keys.RotateApiKey(request, metadata=projects.metadata)
    assert list(rotated.api_key.project_ids) == [own.id]
    after = projects.by(await projects.world.key_metadata(rotated.secret))
    for program in (before, after):
        assert await program.names() == ["own"]
        await refused(program.get(other.id), NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_a_cursor_of_somebody_who_sees_more_shows_a_bound_key_no_more(
    projects: ProjectClient,
) -> None:
    own = await projects.create("a")
    for name in ("b", "c", "d"):
        await projects.create(name)
    _, program = await bound(projects, own.id)
    page = await projects.list(limit=1, sort_by="name", sort_order="asc")
    found = await program.list(limit=1, sort_by="name", sort_order="asc", cursor=page.next_cursor)
    assert (list(found.projects), found.has_more) == ([], False)


async def test_an_answer_is_not_repeated_to_another_key_with_the_same_idempotency_key(
    projects: ProjectClient, refused: Refused
) -> None:
    first, other = await projects.create("first"), await projects.create("other")
    _, one = await bound(projects, first.id)
    _, two = await bound(projects, other.id)
    request = projects_pb.UpdateProjectRequest(project_id=first.id, name="renamed")
    repeated = ("idempotency-key", str(new_id()))
    call = projects.world.projects.UpdateProject
    await call(request, metadata=(*one.metadata, repeated))
    attempt = call(request, metadata=(*two.metadata, repeated))
    await refused(attempt, NOT_FOUND, "PROJECT_NOT_FOUND")


@pytest.mark.parametrize("scope", sorted(organization_permissions() - PROJECT_PERMISSIONS))
async def test_a_bound_key_has_no_scope_beyond_projects(
    projects: ProjectClient, refused: Refused, scope: str
) -> None:
    project = await projects.create()
    attempt = bound(projects, project.id, scopes=("projects:read", scope))
    found = await refused(attempt, INVALID, "SCOPE_NOT_BINDABLE")
    assert found.metadata == {"scopes": scope}


async def test_a_bound_key_gets_none_later_either(
    projects: ProjectClient, refused: Refused
) -> None:
    project = await projects.create()
    key, _ = await bound(projects, project.id)
    attempt = change(projects, key, scopes=["projects:read", "keys:write"])
    await refused(attempt, INVALID, "SCOPE_NOT_BINDABLE")
    made = await projects.world.new_key(projects.organization_id, projects.owner, "keys:write")
    attempt = change(projects, made.api_key, project_ids=[project.id])
    await refused(attempt, INVALID, "SCOPE_NOT_BINDABLE")
    narrowed = await change(
        projects, made.api_key, project_ids=[project.id], scopes=["projects:read"]
    )
    assert list(narrowed.project_ids) == [project.id]


async def test_a_bound_key_may_call_only_methods_about_projects(
    world: World, owner: Person
) -> None:
    """Whatever method comes next: unless its feature says otherwise, it is out of reach."""
    fixture = await make_organization_fixture(world, owner)
    made = await world.new_key(
        fixture.ids["organization_id"], owner, *SCOPES, project_ids=[fixture.ids["project_id"]]
    )
    metadata = await world.key_metadata(made.secret)
    program = Person("", "", metadata[0][1].removeprefix("Bearer "), "")
    codes = {
        name: await code(invoke(world, method, fixture.request(method), program))
        for name, method in GUARDED.items()
    }
    assert {name for name, found in codes.items() if found is None} == {
        "GetProject",
        "ListProjects",
        "UpdateProject",
        "ArchiveProject",
        "RestoreProject",
        "DeleteProject",
    }
    assert {found for found in codes.values() if found is not None} == {DENIED}


async def code(call: Awaitable[object]) -> grpc.StatusCode | None:
    """With which code a call was refused; None if it was not."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return None


async def test_a_binding_names_projects_of_the_organization_that_are_not_deleted(
    projects: ProjectClient, second: str, refused: Refused
) -> None:
    here, gone = await projects.create(), await projects.create()
    await projects.delete(gone.id)
    there = await ProjectClient(projects.world, second, projects.owner, projects.metadata).create()
    attempt = bound(projects, here.id, gone.id, there.id, str(new_id()))
    found = await refused(attempt, INVALID, "VALIDATION_ERROR")
    assert found.fields == ("project_ids[1]", "project_ids[2]", "project_ids[3]")
    assert set(found.reasons) == {"PROJECT_UNKNOWN"}


async def test_another_binding_names_projects_of_the_organization_only(
    projects: ProjectClient, second: str, refused: Refused
) -> None:
    project = await projects.create()
    there = await ProjectClient(projects.world, second, projects.owner, projects.metadata).create()
    key, program = await bound(projects, project.id)
    attempt = change(projects, key, project_ids=[project.id, there.id])
    found = await refused(attempt, INVALID, "VALIDATION_ERROR")
    assert (found.fields, found.reasons) == (("project_ids[1]",), ("PROJECT_UNKNOWN",))
    assert [one.id for one in (await program.list()).projects] == [project.id]


async def test_a_project_that_is_named_twice_is_bound_once(projects: ProjectClient) -> None:
    project = await projects.create()
    key, _ = await bound(projects, project.id, project.id.upper())
    assert list(key.project_ids) == [project.id]


async def test_an_imported_key_can_be_bound(
    projects: ProjectClient, import_client: ImportClient, refused: Refused
) -> None:
    world, own, secret = projects.world, await projects.create("own"), foreign_secret()
    await projects.create("other")
    key_id = await import_client.bring_one(secret, scopes=SCOPES)
    program = projects.by(await world.key_metadata(secret))
    assert len(await program.names()) == 2
    await change(projects, ApiKey(id=key_id), project_ids=[own.id])
    assert await program.names() == ["own"]
    await refused(program.create(), DENIED, "BOUND_TO_PROJECTS")


@pytest.mark.parametrize("project_ids", [["nothing"], [""], ["a"] * 2])
async def test_a_binding_to_what_is_no_id_is_refused(
    projects: ProjectClient, refused: Refused, project_ids: list[str]
) -> None:
    await refused(bound(projects, *project_ids), INVALID, "VALIDATION_ERROR")


async def test_a_key_is_bound_to_twenty_projects_at_the_most(
    projects: ProjectClient, refused: Refused
) -> None:
    await projects.set_tier("basic")
    made = [(await projects.create()).id for _ in range(21)]
    key, program = await bound(projects, *made[:20])
    assert list(key.project_ids) == made[:20]
    assert len((await program.list(limit=100)).projects) == 20
    await refused(bound(projects, *made), INVALID, "VALIDATION_ERROR")


async def test_another_binding_counts_at_the_next_call(
    projects: ProjectClient, refused: Refused
) -> None:
    first, other = await projects.create("first"), await projects.create("other")
    key, program = await bound(projects, first.id)
    await change(projects, key, project_ids=[other.id])
    assert await program.names() == ["other"]
    await refused(program.get(first.id), NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_a_mask_that_does_not_name_it_leaves_the_binding_alone(
    projects: ProjectClient,
) -> None:
    first, other = await projects.create(), await projects.create()
    key, _ = await bound(projects, first.id)
    mask = FieldMask(paths=["name"])
    changed = await change(projects, key, name="renamed", project_ids=[other.id], update_mask=mask)
    assert (changed.name, list(changed.project_ids)) == ("renamed", [first.id])


async def test_a_bound_key_is_never_unbound(projects: ProjectClient, refused: Refused) -> None:
    project = await projects.create()
    key, _ = await bound(projects, project.id)
    attempt = change(projects, key, update_mask=FieldMask(paths=["project_ids"]))
    found = await refused(attempt, INVALID, "VALIDATION_ERROR")
    assert found.reasons == ("REPEATED_MIN_ITEMS",)


async def test_an_empty_binding_cannot_be_stored(projects: ProjectClient) -> None:
    project = await projects.create()
    key, _ = await bound(projects, project.id)
    empty = text("update api_keys set project_ids = '{}' where id = :id")
    with pytest.raises(IntegrityError, match="bound_to_some"):
        async with projects.world.engine.begin() as connection:
            await connection.execute(empty, {"id": UUID(key.id)})


async def test_who_lacks_the_scopes_of_a_key_does_not_bind_it(
    world: World, projects: ProjectClient, refused: Refused
) -> None:
    project = await projects.create()
    key, _ = await bound(projects, project.id)
    other = await world.new_key(projects.organization_id, projects.owner, "keys:write")
    request = pb.UpdateApiKeyRequest(api_key_id=key.id, project_ids=[project.id])
    metadata = await world.key_metadata(other.secret)
    attempt = world.keys.UpdateApiKey(request, metadata=metadata)
    await refused(attempt, DENIED, "PERMISSIONS_EXCEEDED")


async def test_the_binding_is_shown_to_readers_webhooks_and_the_audit_log(
    key_client: KeyClient, projects: ProjectClient
) -> None:
    project = await projects.create()
    key, _ = await bound(projects, project.id)
    assert list((await key_client.get(key.id)).api_key.project_ids) == [project.id]
    told = await event(projects.world, projects.organization_id, "key.created")
    entry = await audit_entry(projects.world, projects.organization_id, "key.created")
    assert told.data["projectIds"] == entry.details["projectIds"] == [project.id]


async def test_an_answer_from_before_another_binding_is_not_repeated(
    projects: ProjectClient, refused: Refused
) -> None:
    first, other = await projects.create("first"), await projects.create("other")
    key, program = await bound(projects, first.id)
    request = projects_pb.UpdateProjectRequest(project_id=first.id, name="renamed")
    repeated = (*program.metadata, ("idempotency-key", str(new_id())))
    call = projects.world.projects.UpdateProject
    assert await call(request, metadata=repeated) == await call(request, metadata=repeated)
    await change(projects, key, project_ids=[other.id])
    await refused(call(request, metadata=repeated), NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_an_answer_from_before_any_binding_is_not_repeated(
    projects: ProjectClient, refused: Refused
) -> None:
    world, own = projects.world, await projects.create("own")
    made = await world.new_key(projects.organization_id, projects.owner, *SCOPES)
    metadata = (
        *await world.key_metadata(made.secret),
        ("idempotency-key", str(new_id())),
    )
    request = projects_pb.CreateProjectRequest(
        organization_id=projects.organization_id, name="other"
    )
    await world.projects.CreateProject(request, metadata=metadata)
    await change(projects, made.api_key, project_ids=[own.id])
    attempt = world.projects.CreateProject(request, metadata=metadata)
    await refused(attempt, DENIED, "BOUND_TO_PROJECTS")
