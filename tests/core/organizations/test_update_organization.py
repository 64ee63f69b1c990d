"""Changing an organization: only what is given, and never over somebody else's change."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from portico.organizations.v1 import organization_service_pb2 as pb

from tests.core.calls import headers, if_match, new_slug, race, version
from tests.core.conftest import Refused
from tests.core.records import event, event_types
from tests.core.world import Person, World


async def test_only_the_given_fields_change(
    world: World, owner: Person, organization_id: str
) -> None:
    slug = new_slug()
    changes: tuple[dict[str, Any], ...] = ({"slug": slug}, {"name": "Renamed"})
    for fields in changes:
        answer = await world.organizations.UpdateOrganization(
            pb.UpdateOrganizationRequest(organization_id=organization_id, **fields),
            metadata=owner.metadata,
        )
    changed = answer.organization
    assert (changed.name, changed.slug, changed.role) == ("Renamed", slug, "owner")
    assert changed.updated_at.ToDatetime() > changed.created_at.ToDatetime()


async def test_the_change_is_told(world: World, owner: Person, organization_id: str) -> None:
    await world.organizations.UpdateOrganization(
        pb.UpdateOrganizationRequest(organization_id=organization_id, name="Renamed"),
        metadata=owner.metadata,
    )
    told = await event(world, organization_id, "organization.updated")
    assert told.data["name"] == "Renamed"
    # Everyone who hears of it would take the role of who made the change for their own.
    assert told.data["role"] == ""


async def test_a_slug_that_is_taken_is_refused_and_nothing_changes(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    other = await world.new_organization(owner)
    show = pb.GetOrganizationRequest(organization_id=other)
    taken = (await world.organizations.GetOrganization(show, metadata=owner.metadata)).organization
    attempt = world.organizations.UpdateOrganization(
        pb.UpdateOrganizationRequest(
            organization_id=organization_id, name="Renamed", slug=taken.slug
        ),
        metadata=owner.metadata,
    )
    await refused(attempt, grpc.StatusCode.ALREADY_EXISTS, "SLUG_TAKEN")
    show = pb.GetOrganizationRequest(organization_id=organization_id)
    kept = await world.organizations.GetOrganization(show, metadata=owner.metadata)
    assert kept.organization.name != "Renamed"


async def test_a_version_that_is_no_longer_the_newest_is_refused(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    request = pb.UpdateOrganizationRequest(organization_id=organization_id, name="Renamed")
    first = world.organizations.UpdateOrganization(request, metadata=if_match(owner, '"1"'))
    await first
    assert version((await headers(first))["etag"]) == 2
    attempt = world.organizations.UpdateOrganization(request, metadata=if_match(owner, '"1"'))
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")


async def test_of_changes_at_once_to_one_version_one_is_made(
    world: World, owner: Person, organization_id: str
) -> None:
    answers, reasons = await race(
        *(
            world.organizations.UpdateOrganization(
                pb.UpdateOrganizationRequest(organization_id=organization_id, name=f"Name {n}"),
                metadata=if_match(owner, '"1"'),
            )
            for n in range(5)
        )
    )
    assert len(answers) == 1
    assert reasons == ["ETAG_MISMATCH"] * 4


async def test_an_empty_slug_is_refused(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    attempt = world.organizations.UpdateOrganization(
        pb.UpdateOrganizationRequest(organization_id=organization_id, slug=""),
        metadata=owner.metadata,
    )
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("slug",)


async def test_a_change_that_changes_nothing_leaves_no_trace(
    world: World, owner: Person, organization_id: str
) -> None:
    show = pb.GetOrganizationRequest(organization_id=organization_id)
    found = await world.organizations.GetOrganization(show, metadata=owner.metadata)
    before = found.organization
    same: tuple[dict[str, Any], ...] = ({}, {"name": before.name, "slug": before.slug})
    for fields in same:
        call = world.organizations.UpdateOrganization(
            pb.UpdateOrganizationRequest(organization_id=organization_id, **fields),
            metadata=if_match(owner, '"1"'),
        )
        assert (await call).organization == before
        assert version((await headers(call))["etag"]) == 1
    assert "organization.updated" not in await event_types(world, organization_id)


async def test_a_name_and_a_slug_cannot_be_cleared(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    attempt = world.organizations.UpdateOrganization(
        pb.UpdateOrganizationRequest(
            organization_id=organization_id, update_mask=FieldMask(paths=["name", "slug"])
        ),
        metadata=owner.metadata,
    )
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("name", "slug")
    assert found.reasons == ("NOT_CLEARABLE", "NOT_CLEARABLE")
