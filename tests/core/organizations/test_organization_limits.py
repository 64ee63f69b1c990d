"""An organization's limits: set by administrators, and copied to where the edge reads them."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from portico.organizations.v1 import organization_service_pb2 as pb
from portico.organizations.v1.organization_pb2 import WindowLimits

from tests.core.calls import if_match
from tests.core.conftest import Refused
from tests.core.world import Person, World


def change(organization_id: str, **fields: Any) -> pb.UpdateOrganizationLimitsRequest:
    """A request for these limits and no others."""
    return pb.UpdateOrganizationLimitsRequest(organization_id=organization_id, **fields)


async def test_limits_are_the_tiers_until_an_administrator_sets_some(
    world: World, administrator: Person, organization_id: str
) -> None:
    wanted = pb.GetOrganizationLimitsRequest(organization_id=organization_id)
    before = await world.organizations.GetOrganizationLimits(
        wanted, metadata=administrator.metadata
    )
    assert (before.limits.multiplier_percent, before.limits.time_zone) == (100, "UTC")
    request = change(
        organization_id,
        multiplier_percent=250,
        read=WindowLimits(per_minute=90, per_month=100_000),
        time_zone="Asia/Kathmandu",
        shadow=True,
        shadow_rules=["write", "read.minute"],
    )
    answer = await world.organizations.UpdateOrganizationLimits(
        request, metadata=administrator.metadata
    )
    after = await world.organizations.GetOrganizationLimits(wanted, metadata=administrator.metadata)
    assert after.limits == answer.limits
    assert (after.limits.multiplier_percent, after.limits.read.per_month) == (250, 100_000)
    assert not after.limits.read.HasField("per_hour")
    assert (after.limits.time_zone, after.limits.shadow) == ("Asia/Kathmandu", True)
    assert list(after.limits.shadow_rules) == ["write", "read.minute"]


async def test_what_is_not_given_is_the_tiers_again(
    world: World, administrator: Person, organization_id: str
) -> None:
    for request in (
        change(organization_id, multiplier_percent=200, pool=WindowLimits(per_minute=5)),
        change(organization_id),
    ):
        answer = await world.organizations.UpdateOrganizationLimits(
            request, metadata=administrator.metadata
        )
    assert answer.limits.multiplier_percent == 100
    assert not answer.limits.pool.HasField("per_minute")


async def test_an_unknown_time_zone_is_refused(
    world: World, administrator: Person, organization_id: str, refused: Refused
) -> None:
    request = change(organization_id, time_zone="Mars/Olympus_Mons")
    call = world.organizations.UpdateOrganizationLimits(request, metadata=administrator.metadata)
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")


@pytest.mark.parametrize("rule", ["login", "read.second", "pool.burst", "read.minute.hour", ""])
async def test_an_unknown_rule_cannot_be_in_shadow(
    world: World, administrator: Person, organization_id: str, refused: Refused, rule: str
) -> None:
    request = change(organization_id, shadow_rules=[rule])
    call = world.organizations.UpdateOrganizationLimits(request, metadata=administrator.metadata)
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")


async def test_not_even_the_owner_sets_limits(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    request = change(organization_id, multiplier_percent=100_000)
    call = world.organizations.UpdateOrganizationLimits(request, metadata=owner.metadata)
    await refused(call, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_limits_that_have_changed_since_are_not_overwritten(
    world: World, administrator: Person, organization_id: str, refused: Refused
) -> None:
    for percent in (200, 300):
        await world.organizations.UpdateOrganizationLimits(
            change(organization_id, multiplier_percent=percent), metadata=administrator.metadata
        )
    call = world.organizations.UpdateOrganizationLimits(
        change(organization_id), metadata=if_match(administrator, '"1"')
    )
    await refused(call, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")


@pytest.mark.parametrize("percent", [0, 100_001])
async def test_a_multiplier_out_of_bounds_is_refused(
    world: World, administrator: Person, organization_id: str, refused: Refused, percent: int
) -> None:
    request = change(organization_id, multiplier_percent=percent)
    call = world.organizations.UpdateOrganizationLimits(request, metadata=administrator.metadata)
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
