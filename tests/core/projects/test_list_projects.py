"""ListProjects: filtered, searched, sorted and in pages."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta

import grpc
import pytest
from portico.projects.v1 import project_service_pb2 as pb

from tests.core.calls import pages
from tests.core.conftest import Refused
from tests.core.projects.conftest import ProjectClient
from tests.core.world import World


async def test_the_newest_comes_first(projects: ProjectClient) -> None:
    for name in ("one", "two", "three"):
        await projects.create(name)
    assert await projects.names() == ["three", "two", "one"]


async def test_another_organization_has_its_own(projects: ProjectClient, second: str) -> None:
    await projects.create("here")
    there = ProjectClient(projects.world, second, projects.owner, projects.metadata)
    await there.create("there")
    assert (await projects.names(), await there.names()) == (["here"], ["there"])


async def test_a_status_is_asked_for(projects: ProjectClient) -> None:
    for name in ("active", "archived", "deleted"):
        await projects.create(name)
    by_name = {project.name: project.id for project in (await projects.list()).projects}
    await projects.archive(by_name["archived"])
    await projects.delete(by_name["deleted"])
    for status in by_name:
        assert await projects.names(status=status) == [status]
    assert await projects.names() == ["archived", "active"]


async def test_a_status_that_there_is_not_is_refused(
    projects: ProjectClient, refused: Refused
) -> None:
    attempts: dict[str, Awaitable[object]] = {
        "status": projects.list(status="gone"),
        "sort_by": projects.list(sort_by="description"),
        "sort_order": projects.list(sort_order="up"),
    }
    for field, attempt in attempts.items():
        found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
        assert found.fields == (field,)


async def test_a_deleted_one_is_listed_for_30_days(world: World, projects: ProjectClient) -> None:
    await projects.delete((await projects.create("gone")).id)
    with world.clock.later(timedelta(days=29, hours=23)):
        later = projects.by((await world.sign_in(projects.owner.email)).metadata)
        assert await later.names(status="deleted") == ["gone"]
    with world.clock.later(timedelta(days=30, minutes=1)):
        later = projects.by((await world.sign_in(projects.owner.email)).metadata)
        assert await later.names(status="deleted") == []


async def test_a_search_finds_parts_of_names_in_any_case(projects: ProjectClient) -> None:
    for name in ("Website", "Web shop", "Ledger", "ÄRGER"):
        await projects.create(name)
    assert await projects.names(search="WEB", sort_by="name", sort_order="asc") == [
        "Web shop",
        "Website",
    ]
    assert await projects.names(search="dge") == ["Ledger"]
    assert await projects.names(search="nothing") == []


@pytest.mark.parametrize("search", ["%", "_", "\\", "/", "W%e", "'; drop table projects; --"])
async def test_signs_of_a_search_stand_for_themselves(projects: ProjectClient, search: str) -> None:
    await projects.create("Website")
    assert await projects.names(search=search) == []
    await projects.create(f"a {search} b")
    assert await projects.names(search=search) == [f"a {search} b"]


@pytest.mark.parametrize("sort_by", ["createdAt", "name"])
@pytest.mark.parametrize("sort_order", ["asc", "desc"])
async def test_pages_in_any_order_show_each_project_once(
    projects: ProjectClient, sort_by: str, sort_order: str
) -> None:
    names = ["b", "a", "b", "c", "b", "a"]
    for name in names:
        await projects.create(name)
    found = await pages(
        lambda cursor: projects.list(limit=2, cursor=cursor, sort_by=sort_by, sort_order=sort_order)
    )
    shown = [project for page in found for project in page.projects]
    expected = names if sort_by == "createdAt" else sorted(names)
    assert [one.name for one in shown] == (expected if sort_order == "asc" else expected[::-1])
    assert len({one.id for one in shown}) == len(names)


async def test_pages_behind_the_longest_names_go_on(projects: ProjectClient) -> None:
    for _ in range(3):
        await projects.create("\U0001f3e0" * 100)
    found = await pages(lambda cursor: projects.list(limit=1, cursor=cursor, sort_by="name"))
    assert len(found) == 3


async def test_a_cursor_belongs_to_its_organization_filter_and_order(
    projects: ProjectClient, second: str, refused: Refused
) -> None:
    for _ in range(2):
        await projects.create("a")
    cursor = (await projects.list(limit=1, search="a", sort_by="name")).next_cursor
    elsewhere = ProjectClient(projects.world, second, projects.owner, projects.metadata)
    attempts: list[Awaitable[pb.ListProjectsResponse]] = [
        elsewhere.list(cursor=cursor, search="a", sort_by="name"),
        projects.list(cursor=cursor, sort_by="name"),
        projects.list(cursor=cursor, search="a"),
        projects.list(cursor=cursor, search="a", sort_by="name", sort_order="asc"),
        projects.list(cursor=cursor, search="a", sort_by="name", status="active"),
    ]
    for attempt in attempts:
        found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
        assert found.fields == ("cursor",)


async def test_pages_show_what_stays_once_while_others_come_and_go(
    projects: ProjectClient,
) -> None:
    made = [await projects.create("same") for _ in range(6)]
    first = await projects.list(limit=2, sort_by="name", sort_order="asc")
    # One that was shown and the one behind the page go; one comes at either end.
    await projects.delete(made[1].id)
    await projects.delete(made[2].id)
    await projects.create("a")
    last = await projects.create("z")
    shown, cursor = [one.id for one in first.projects], first.next_cursor
    while cursor:
        page = await projects.list(limit=2, sort_by="name", sort_order="asc", cursor=cursor)
        shown += [one.id for one in page.projects]
        cursor = page.next_cursor
    assert shown == [*(made[index].id for index in (0, 1, 3, 4, 5)), last.id]


@pytest.mark.parametrize(
    ("search", "reason"), [("a\0b", "STRING_NUL"), ("x" * 10_000, "STRING_MAX_LEN")]
)
async def test_a_search_that_no_name_can_hold_is_refused(
    projects: ProjectClient, refused: Refused, search: str, reason: str
) -> None:
    attempt = projects.list(search=search)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert (found.fields, found.reasons) == (("search",), (reason,))


@pytest.mark.parametrize(
    "name",
    ["\u05e9\u05dc\u05d5\u05dd", "\u0130stanbul", "a%0d%0aset-cookie: b", "<b>&amp;", "../../x"],
)
async def test_any_name_is_found_by_itself(projects: ProjectClient, name: str) -> None:
    await projects.create("another")
    await projects.create(name)
    assert await projects.names(search=name) == [name]
