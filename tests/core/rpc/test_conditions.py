"""Conditional requests: RFC 9110, section 13, for every resource that has a version."""

from __future__ import annotations

import grpc
import pytest
from portico.users.v1 import user_service_pb2 as pb

from tests.core.calls import headers
from tests.core.conftest import Refused
from tests.core.world import Person, World

Conditions = tuple[tuple[str, str], ...]


async def current_tag(world: World, person: Person) -> str:
    call = world.users.GetMe(pb.GetMeRequest(), metadata=person.metadata)
    await call
    return (await headers(call))["etag"]


@pytest.mark.parametrize(
    ("section", "sent", "code"),
    [
        ("13.1.2", ("{tag}",), "304"),
        ("13.1.2", ("W/{tag}",), "304"),
        ("13.1.2", ("*",), "304"),
        ("13.1.2", ('"0", {tag}',), "304"),
        ("13.1.2", ('"0",{tag} ,  W/"00"',), "304"),
        ("5.3", ('"0"', "{tag}", '"00"'), "304"),
        ("13.1.2", ('"0"',), None),
        ("13.1.2", ('"0", W/"00"',), None),
        ("13.1.2", ("",), None),
        ("8.8.3", ("not quoted",), None),
    ],
)
async def test_a_read_of_what_is_known_is_not_modified(
    world: World, somebody: Person, section: str, sent: tuple[str, ...], code: str | None
) -> None:
    tag = await current_tag(world, somebody)
    known = tuple(("if-none-match", value.format(tag=tag)) for value in sent)
    call = world.users.GetMe(pb.GetMeRequest(), metadata=(*somebody.metadata, *known))
    await call
    found = await headers(call)
    assert found["etag"] == tag
    assert found.get("x-http-code") == code


async def test_a_read_of_one_version_alone_fails_for_another(
    world: World, somebody: Person, refused: Refused
) -> None:
    """13.1.1 and 13.2.2: If-Match comes first, for reads, too."""
    tag = await current_tag(world, somebody)
    conditions: Conditions = (("if-match", '"0"'), ("if-none-match", tag))
    attempt = world.users.GetMe(pb.GetMeRequest(), metadata=(*somebody.metadata, *conditions))
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    conditions = (("if-match", tag), ("if-none-match", tag))
    call = world.users.GetMe(pb.GetMeRequest(), metadata=(*somebody.metadata, *conditions))
    await call
    assert (await headers(call))["x-http-code"] == "304"


@pytest.mark.parametrize("sent", ["*", "{tag}", 'W/{tag}, "0"'])
async def test_a_write_to_what_must_not_be_there_or_be_so_changes_nothing(
    world: World, somebody: Person, refused: Refused, sent: str
) -> None:
    """13.1.2: for what is no read the condition that does not hold is 412."""
    tag = await current_tag(world, somebody)
    condition = ("if-none-match", sent.format(tag=tag))
    attempt = world.users.UpdateMe(
        pb.UpdateMeRequest(bio="New."), metadata=(*somebody.metadata, condition)
    )
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert await current_tag(world, somebody) == tag


@pytest.mark.parametrize(
    "conditions",
    [
        (("if-match", "*"),),
        (("if-match", '"0"'), ("if-match", "{tag}")),
        (("if-match", '"0", {tag}'),),
        (("if-none-match", '"0"'),),
        (("if-match", "{tag}"), ("if-none-match", '"0"')),
    ],
)
async def test_a_write_whose_conditions_hold_is_done(
    world: World, owner: Person, conditions: Conditions
) -> None:
    tag = await current_tag(world, owner)
    sent = tuple((name, value.format(tag=tag)) for name, value in conditions)
    await world.users.UpdateMe(pb.UpdateMeRequest(bio="New."), metadata=(*owner.metadata, *sent))
    assert await current_tag(world, owner) != tag


async def test_dates_are_ignored_where_there_is_a_version_alone(
    world: World, somebody: Person
) -> None:
    """13.1.3 and 13.1.4: the resource has no date of modification."""
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    dates = (("if-modified-since", date), ("if-unmodified-since", date))
    call = world.users.GetMe(pb.GetMeRequest(), metadata=(*somebody.metadata, *dates))
    await call
    assert "x-http-code" not in await headers(call)
