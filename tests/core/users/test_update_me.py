"""UpdateMe: what is given changes, what is not stays."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import aio
from portico.users.v1 import user_service_pb2 as pb
from portico.users.v1.user_pb2 import NotificationPreferences, Preferences

from tests.core.conftest import Audited, Refused
from tests.core.world import Person, World


def update(
    world: World, person: Person, *, if_match: str | bytes = "", **fields: Any
) -> aio.UnaryUnaryCall[pb.UpdateMeRequest, pb.UpdateMeResponse]:
    match = (("if-match", if_match),) if if_match else ()
    return world.users.UpdateMe(pb.UpdateMeRequest(**fields), metadata=(*person.metadata, *match))


async def test_given_fields_change_and_the_others_stay(
    world: World, owner: Person, audited: Audited
) -> None:
    await update(world, owner, avatar_url="https://example.com/ada.png", bio="Counts.")
    user = (await update(world, owner, display_name="Ada Lovelace")).user
    assert user.display_name == "Ada Lovelace"
    assert (user.avatar_url, user.bio) == ("https://example.com/ada.png", "Counts.")
    stored = await world.users.GetMe(pb.GetMeRequest(), metadata=owner.metadata)
    assert stored.user == user
    assert (await audited(owner.id))[-2:] == ["user.updated", "user.updated"]


async def test_an_empty_picture_takes_it_away(world: World, owner: Person) -> None:
    await update(world, owner, avatar_url="https://example.com/ada.png")
    assert (await update(world, owner, avatar_url="")).user.avatar_url == ""


async def test_preferences_are_merged(world: World, owner: Person) -> None:
    await update(
        world,
        owner,
        preferences=Preferences(
            theme="dark", notifications=NotificationPreferences(email=True, push=True)
        ),
    )
    user = (
        await update(
            world,
            owner,
            preferences=Preferences(
                language="en", notifications=NotificationPreferences(push=False)
            ),
        )
    ).user
    assert user.preferences == Preferences(
        theme="dark",
        language="en",
        notifications=NotificationPreferences(email=True, push=False),
    )


async def test_every_change_has_an_etag_of_its_own(world: World, owner: Person) -> None:
    changes: list[dict[str, Any]] = [
        {"bio": "One."},
        {"bio": "Two."},
        {"preferences": Preferences(theme="dark")},
    ]
    tags = [
        dict(await update(world, owner, **change).initial_metadata())["etag"] for change in changes
    ]
    assert len(set(tags)) == 3


async def test_who_has_not_seen_the_last_change_is_refused(
    world: World, owner: Person, refused: Refused
) -> None:
    first = dict(await update(world, owner, bio="One.").initial_metadata())["etag"]
    assert (await update(world, owner, if_match=first, bio="Two.")).user.bio == "Two."
    late = update(world, owner, if_match=first, bio="Three.")
    await refused(late, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("display_name", ""),
        ("display_name", "A" * 51),
        ("avatar_url", "javascript:alert(1)"),
        ("bio", "x" * 501),
        ("preferences.theme", Preferences(theme="pink")),
        ("preferences.language", Preferences(language="english")),
    ],
)
async def test_what_breaks_a_rule_is_named(
    world: World, owner: Person, field: str, value: Any, refused: Refused
) -> None:
    attempt = update(world, owner, **{field.partition(".")[0]: value})
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == (field,)


async def test_a_preference_is_cleared_by_its_name(world: World, owner: Person) -> None:
    notifications = NotificationPreferences(email=True, push=True)
    preferences = Preferences(theme="dark", language="en", notifications=notifications)
    await update(world, owner, bio="Counts.", preferences=preferences)
    mask = FieldMask(paths=["preferences.theme", "preferences.notifications.push", "bio"])
    user = (await update(world, owner, update_mask=mask)).user
    assert user.bio == ""
    assert user.preferences == Preferences(
        language="en", notifications=NotificationPreferences(email=True)
    )
    mask = FieldMask(paths=["preferences"])
    user = (await update(world, owner, update_mask=mask)).user
    assert user.preferences == Preferences()


async def test_a_preference_is_set_by_its_name_and_the_others_stay(
    world: World, owner: Person
) -> None:
    await update(world, owner, preferences=Preferences(theme="dark", language="en"))
    notifications = NotificationPreferences(push=True)
    change = Preferences(theme="light", notifications=notifications)
    mask = FieldMask(paths=["preferences.theme", "preferences.notifications.push"])
    user = (await update(world, owner, preferences=change, update_mask=mask)).user
    assert user.preferences == Preferences(
        theme="light", language="en", notifications=notifications
    )


async def test_a_name_cannot_be_cleared(world: World, owner: Person, refused: Refused) -> None:
    attempt = update(world, owner, update_mask=FieldMask(paths=["display_name"]))
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert (found.fields, found.reasons) == (("display_name",), ("NOT_CLEARABLE",))


async def test_a_change_that_changes_nothing_leaves_no_trace(
    world: World, owner: Person, audited: Audited
) -> None:
    preferences = Preferences(theme="dark", notifications=NotificationPreferences(push=False))
    before = await update(world, owner, bio="Counts.", preferences=preferences)
    entries = await audited(owner.id)
    for fields in (
        {},
        {"bio": "Counts.", "preferences": preferences},
        {"update_mask": FieldMask(paths=["avatar_url", "preferences.language"])},
    ):
        assert (await update(world, owner, **fields)).user == before.user
    assert await audited(owner.id) == entries
