"""How a member is looked at before their role changes or ends."""

from __future__ import annotations

from uuid import UUID

from server.kit.call import Call
from server.kit.errors import NotFoundError
from server.organizations.errors import LastOwnerError, MemberNotFoundError
from server.organizations.models import Membership
from server.organizations.repository import MembershipRepository, OrganizationRepository
from server.organizations.rules import OWNER, require_grantable


async def find_to_change(organization_id: UUID, user_id: UUID, call: Call) -> Membership:
    """The member, if the caller may take their role.

    Locks the organization, so that two owners who demote each other at the same
    moment come one after the other.

    Raises:
        MemberNotFoundError: if the person is none.
        EtagMismatchError: if they have changed since the version in If-Match.
        RoleNotGrantableError: if their role allows more than the caller's rights.
    """
    if not await OrganizationRepository(call.db).lock(organization_id):
        raise NotFoundError
    member = await MembershipRepository(call.db).find(organization_id, user_id)
    if member is None:
        raise MemberNotFoundError
    call.expect(member.version)
    require_grantable(member.role, call.permissions(organization_id))
    return member


async def require_other_owner(member: Membership, call: Call) -> None:
    """Lets an owner go only if another one stays. The organization is locked.

    Raises:
        LastOwnerError: if it is the last one.
    """
    if member.role != OWNER:
        return
    if await MembershipRepository(call.db).count_owners(member.organization_id) < 2:
        raise LastOwnerError
