"""An organization requires a second factor of one member, whatever it requires of all."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from portico.factors.v1 import factor_service_pb2 as factors
from portico.organizations.v1 import organization_pb2
from portico.organizations.v1 import organization_service_pb2 as pb

from tests.core.conftest import Audited, Refused
from tests.core.factors.conftest import Protected, enroll_app
from tests.core.factors.conftest import protected as protected
from tests.core.organizations.test_security_policy import (
    DAY,
    INSUFFICIENT,
    UNAUTHENTICATED,
    get,
    listed,
    require,
)
from tests.core.world import Person, World

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


async def require_of(
    world: World, owner: Person, organization_id: str, member: Person, second_factor: str
) -> organization_pb2.Member:
    request = pb.UpdateMemberSecurityPolicyRequest(
        organization_id=organization_id, user_id=member.id, second_factor=second_factor
    )
    stub = world.organizations
    answer = await stub.UpdateMemberSecurityPolicy(request, metadata=owner.metadata)
    return answer.member


@pytest.fixture
async def member(world: World, protected: Protected, organization_id: str) -> Person:
    """A member of the organization whose owner has an app."""
    return await world.new_member(organization_id, protected.person, "member")


async def test_only_the_one_of_whom_it_is_required_has_to_have_one(
    world: World,
    protected: Protected,
    organization_id: str,
    member: Person,
    refused: Refused,
    audited: Audited,
) -> None:
    other = await world.new_member(organization_id, protected.person, "member")
    shown = await require_of(world, protected.person, organization_id, member, "required")
    assert shown.second_factor == "required"
    assert shown.HasField("second_factor_from")
    found = await refused(get(world, member, organization_id), UNAUTHENTICATED, INSUFFICIENT)
    assert found.metadata["missing"] == "enrollment"
    assert (await listed(world, member))[organization_id].second_factor == "required"
    assert await get(world, other, organization_id)
    assert (await listed(world, other))[organization_id].second_factor == ""
    mail = await world.mail(member.email, "factor_required_of_you")
    assert mail["organization_name"]
    assert "member.updated" in await audited(member.id)
    await enroll_app(world, member)
    assert await get(world, member, organization_id)


async def test_it_ends_when_the_owner_says_so(
    world: World, protected: Protected, organization_id: str, member: Person
) -> None:
    await require_of(world, protected.person, organization_id, member, "required")
    shown = await require_of(world, protected.person, organization_id, member, "off")
    assert shown.second_factor == ""
    assert not shown.HasField("second_factor_from")
    assert await get(world, member, organization_id)


async def test_it_stays_when_the_role_changes_and_since_when_it_was(
    world: World, protected: Protected, organization_id: str, member: Person, refused: Refused
) -> None:
    owner = protected.person
    first = await require_of(world, owner, organization_id, member, "required")
    request = pb.UpdateMemberRequest(
        organization_id=organization_id, user_id=member.id, role="viewer"
    )
    changed = await world.organizations.UpdateMember(request, metadata=owner.metadata)
    assert changed.member.second_factor == "required"
    again = await require_of(world, owner, organization_id, member, "required")
    assert again.second_factor_from == first.second_factor_from
    await refused(get(world, member, organization_id), UNAUTHENTICATED, INSUFFICIENT)


async def test_of_what_is_required_of_all_and_of_one_the_stricter_counts(
    world: World, protected: Protected, organization_id: str, member: Person, refused: Refused
) -> None:
    """What is to come does not take the place of what is required now."""
    owner = protected.person
    await require_of(world, owner, organization_id, member, "required")
    await require(world, owner, organization_id, after=2 * DAY)
    shown = (await listed(world, member))[organization_id]
    assert shown.second_factor_from.ToDatetime(tzinfo=world.clock().tzinfo) <= world.clock()
    await refused(get(world, member, organization_id), UNAUTHENTICATED, INSUFFICIENT)
    await enroll_app(world, member)
    assert await get(world, member, organization_id)


async def test_the_factor_that_is_required_of_one_is_not_removed(
    world: World, protected: Protected, organization_id: str, member: Person, refused: Refused
) -> None:
    own = await enroll_app(world, member)
    await require_of(world, protected.person, organization_id, member, "required")
    remove = world.factors.DeleteFactor(
        factors.DeleteFactorRequest(factor_id=own.factor_id), metadata=member.metadata
    )
    found = await refused(remove, PRECONDITION, "FACTOR_REQUIRED")
    assert found.metadata["organization_ids"] == organization_id


async def test_it_is_set_by_owners_who_have_such_a_factor(
    world: World, protected: Protected, organization_id: str, member: Person, refused: Refused
) -> None:
    owner = protected.person
    passkey = require_of(world, owner, organization_id, member, "phishing_resistant")
    await refused(passkey, PRECONDITION, "OWN_FACTOR_REQUIRED")
    admin = await world.new_member(organization_id, owner, "admin")
    denied: tuple[Any, ...] = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    await refused(require_of(world, admin, organization_id, member, "required"), *denied)
    await refused(require_of(world, member, organization_id, member, "off"), *denied)
    stranger = await world.new_person()
    nobody = require_of(world, owner, organization_id, stranger, "required")
    await refused(nobody, grpc.StatusCode.NOT_FOUND, "MEMBER_NOT_FOUND")
