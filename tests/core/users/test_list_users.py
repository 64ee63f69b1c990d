"""ListUsers: searched, filtered, sorted and in pages."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import grpc
import pytest
from portico.users.v1 import user_service_pb2 as pb
from portico.users.v1.user_pb2 import User

from tests.core.conftest import Refused
from tests.core.users.conftest import new_account
from tests.core.world import Person, World


async def everyone(world: World, administrator: Person, **fields: Any) -> list[User]:
    """All pages of a list, two at a time."""
    found: list[User] = []
    cursor = ""
    for _ in range(20):
        request = pb.ListUsersRequest(limit=2, cursor=cursor, **fields)
        page = await world.users.ListUsers(request, metadata=administrator.metadata)
        found += page.users
        cursor = page.next_cursor
        assert page.has_more == bool(cursor)
        if not cursor:
            return found
    raise AssertionError("the list has no end")


@pytest.fixture
async def family(world: World, administrator: Person) -> str:
    """A name that three accounts share, made in the order of Carl, Anna, Berta."""
    name = uuid4().hex[:12]
    for first in ("Carl", "Anna", "Berta"):
        await new_account(world, administrator, f"{first} {name}")
    return name


def first_names(users: list[User]) -> list[str]:
    return [user.display_name.split()[0] for user in users]


@pytest.mark.parametrize(
    ("sort_by", "sort_order", "expected"),
    [
        ("", "", ["Berta", "Anna", "Carl"]),
        ("createdAt", "asc", ["Carl", "Anna", "Berta"]),
        ("createdAt", "desc", ["Berta", "Anna", "Carl"]),
        ("displayName", "asc", ["Anna", "Berta", "Carl"]),
        ("displayName", "desc", ["Carl", "Berta", "Anna"]),
    ],
)
async def test_a_list_is_sorted_across_pages(
    world: World,
    administrator: Person,
    family: str,
    sort_by: str,
    sort_order: str,
    expected: list[str],
) -> None:
    found = await everyone(
        world, administrator, search=family, sort_by=sort_by, sort_order=sort_order
    )
    assert first_names(found) == expected


@pytest.mark.parametrize("sort_order", ["asc", "desc"])
async def test_a_list_is_sorted_by_address(
    world: World, administrator: Person, family: str, sort_order: str
) -> None:
    found = await everyone(
        world, administrator, search=family, sort_by="email", sort_order=sort_order
    )
    emails = [user.email for user in found]
    assert emails == sorted(emails, reverse=sort_order == "desc")
    assert len(emails) == 3


async def test_people_of_the_same_name_are_all_listed(world: World, administrator: Person) -> None:
    name = uuid4().hex
    made = {(await new_account(world, administrator, name)).user.id for _ in range(5)}
    found = await everyone(world, administrator, search=name, sort_by="displayName")
    assert len(found) == 5
    assert {user.id for user in found} == made


async def test_a_search_finds_parts_of_names_and_addresses_in_any_case(
    world: World, administrator: Person
) -> None:
    user = (await new_account(world, administrator, f"Grace {uuid4().hex}")).user
    for part in (user.display_name[6:20].upper(), user.email[:14].title()):
        assert [found.id for found in await everyone(world, administrator, search=part)] == [
            user.id
        ]


@pytest.mark.parametrize("search", ["%", "_", "\\", "a%a", "'; drop table users"])
async def test_signs_of_a_search_stand_for_themselves(
    world: World, administrator: Person, search: str
) -> None:
    name = f"{search} {uuid4().hex[:20]}"
    user = (await new_account(world, administrator, name)).user
    found = await everyone(world, administrator, search=name[: len(search) + 5])
    assert [one.id for one in found] == [user.id]
    assert await everyone(world, administrator, search=f"{search}{uuid4().hex}") == []


async def test_a_list_is_filtered_by_status_and_role(
    world: World, administrator: Person, family: str
) -> None:
    carl, anna, _ = await everyone(world, administrator, search=family, sort_order="asc")
    for change in (
        pb.UpdateUserRequest(user_id=carl.id, status="suspended"),
        pb.UpdateUserRequest(user_id=anna.id, role="administrator"),
    ):
        await world.users.UpdateUser(change, metadata=administrator.metadata)
    suspended = await everyone(world, administrator, search=family, status="suspended")
    assert first_names(suspended) == ["Carl"]
    appointed = await everyone(world, administrator, search=family, role="administrator")
    assert first_names(appointed) == ["Anna"]
    others = await everyone(world, administrator, search=family, status="active", role="user")
    assert first_names(others) == ["Berta"]


async def test_a_cursor_belongs_to_its_sort(
    world: World, administrator: Person, family: str, refused: Refused
) -> None:
    request = pb.ListUsersRequest(limit=1, search=family, sort_by="email")
    page = await world.users.ListUsers(request, metadata=administrator.metadata)
    attempt = world.users.ListUsers(
        pb.ListUsersRequest(limit=1, search=family, cursor=page.next_cursor),
        metadata=administrator.metadata,
    )
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("cursor",)


@pytest.mark.parametrize("field", ["status", "role", "sort_by", "sort_order"])
async def test_a_value_that_does_not_exist_is_refused(
    world: World, administrator: Person, field: str, refused: Refused
) -> None:
    request = pb.ListUsersRequest(**{field: "other"})  # type: ignore[arg-type]
    attempt = world.users.ListUsers(request, metadata=administrator.metadata)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == (field,)
