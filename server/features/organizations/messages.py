"""Organizations, members and invitations as the contract shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from portico.organizations.v1 import organization_pb2 as pb
from portico.organizations.v1.organization_service_pb2 import UpdateOrganizationLimitsRequest

from portico_kit.clock import timestamp
from portico_kit.edge_state.limits import OVERRIDABLE, PERIODS, Rates
from server.features.organizations.models import (
    Invitation,
    Membership,
    Organization,
    OrganizationLimits,
)
from server.features.organizations.policy_rules import OFF, concerns, strictest
from server.features.organizations.read_models import OrganizationView
from server.features.users.facade import Contact


def organization(row: Organization | OrganizationView, role: str) -> pb.Organization:
    """The message for a row; `role` is the caller's, "" for an API key."""
    return pb.Organization(
        id=str(row.id),
        name=row.name,
        slug=row.slug,
        tier=row.tier,
        role=role,
        created_at=timestamp(row.created_at),
        updated_at=timestamp(row.updated_at),
        allow_key_import=row.allow_key_import,
    )


def listed(row: Organization, member: Membership | None) -> pb.Organization:
    """The message for a row of the caller's own list, which says what is required of them.

    Args:
        member: the caller; None for one who has left meanwhile.
    """
    if member is None:
        return organization(row, "")
    message = organization(row, member.role)
    is_concerned = concerns(row.second_factor_roles, member.role)
    asked = strictest(
        (row.second_factor if is_concerned else None, row.second_factor_from),
        (member.second_factor, member.second_factor_from),
    )
    if asked is not None:
        message.second_factor = asked[0]
        message.second_factor_from.FromDatetime(asked[1])
    return message


def security_policy(row: Organization) -> pb.SecurityPolicy:
    """The message for what an organization asks of its members."""
    return pb.SecurityPolicy(
        organization_id=str(row.id),
        second_factor=row.second_factor or OFF,
        second_factor_from=timestamp(row.second_factor_from),
        roles=row.second_factor_roles or (),
        forbid_remembered_devices=row.forbid_remembered_devices,
    )


def member(row: Membership, contact: Contact) -> pb.Member:
    """The message for a member and how they are named."""
    return pb.Member(
        user_id=str(row.user_id),
        email=contact.email,
        display_name=contact.display_name,
        role=row.role,
        joined_at=timestamp(row.created_at),
        second_factor=row.second_factor or "",
        second_factor_from=timestamp(row.second_factor_from),
    )


def invitation(row: Invitation, now: datetime) -> pb.Invitation:
    """The message for an invitation; `now` decides whether it has expired."""
    return pb.Invitation(
        id=str(row.id),
        organization_id=str(row.organization_id),
        email=row.email,
        role=row.role,
        status=row.status_at(now),
        invited_by=str(row.invited_by or ""),
        invited_by_api_key=str(row.invited_by_api_key or ""),
        created_at=timestamp(row.created_at),
        expires_at=timestamp(row.expires_at),
    )


def limits(row: OrganizationLimits) -> pb.OrganizationLimits:
    """The message for an organization's limits."""
    return pb.OrganizationLimits(
        organization_id=str(row.organization_id),
        multiplier_percent=row.multiplier_percent,
        time_zone=row.time_zone,
        shadow=row.shadow,
        shadow_rules=row.shadow_rules,
        **{name: _windows(row.overrides.get(name, {})) for name in OVERRIDABLE},
    )


def overrides(request: UpdateOrganizationLimitsRequest) -> Mapping[str, Rates]:
    """The limits in a request, by category or "pool", then by period."""
    found = {name: _rates(getattr(request, name)) for name in OVERRIDABLE}
    return {name: rates for name, rates in found.items() if rates}


def _windows(rates: Rates) -> pb.WindowLimits:
    return pb.WindowLimits(**{f"per_{period}": limit for period, limit in rates.items()})


def _rates(windows: pb.WindowLimits) -> Rates:
    return {
        period: getattr(windows, f"per_{period}")
        for period in PERIODS
        if windows.HasField(f"per_{period}")  # type: ignore[arg-type]  # one of its four
    }
