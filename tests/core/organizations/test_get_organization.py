"""Showing an organization."""

from __future__ import annotations

import grpc
import pytest
from portico.organizations.v1 import organization_service_pb2 as pb

from tests.core.calls import headers
from tests.core.conftest import Refused
from tests.core.world import Person, World


async def test_a_member_sees_it_with_their_own_role(
    world: World, owner: Person, organization_id: str
) -> None:
    viewer = await world.new_member(organization_id, owner, "viewer")
    request = pb.GetOrganizationRequest(organization_id=organization_id)
    for person, role in ((owner, "owner"), (viewer, "viewer")):
        answer = await world.organizations.GetOrganization(request, metadata=person.metadata)
        assert (answer.organization.id, answer.organization.role) == (organization_id, role)


async def test_an_api_key_sees_it_without_a_role(
    world: World, owner: Person, organization_id: str
) -> None:
    key = await world.new_key(organization_id, owner, "organization:read")
    answer = await world.organizations.GetOrganization(
        pb.GetOrganizationRequest(organization_id=organization_id),
        metadata=await world.key_metadata(key.secret),
    )
    assert (answer.organization.id, answer.organization.role) == (organization_id, "")


async def test_what_the_client_has_already_is_said_to_be_unchanged(
    world: World, owner: Person, organization_id: str
) -> None:
    request = pb.GetOrganizationRequest(organization_id=organization_id)
    first = world.organizations.GetOrganization(request, metadata=owner.metadata)
    await first
    tag = (await headers(first))["etag"]
    for known, code in ((tag, "304"), ('"0"', None)):
        metadata = (*owner.metadata, ("if-none-match", known))
        again = world.organizations.GetOrganization(request, metadata=metadata)
        await again
        assert (await headers(again)).get("x-http-code") == code


@pytest.mark.parametrize("organization_id", ["", "1", "not-an-id"])
async def test_a_malformed_id_is_named(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    attempt = world.organizations.GetOrganization(
        pb.GetOrganizationRequest(organization_id=organization_id), metadata=owner.metadata
    )
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("organization_id",)
