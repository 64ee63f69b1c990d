"""How a member is looked at before their role changes or ends."""

from __future__ import annotations

from uuid import UUID

from portico_kit.call import Call
from portico_kit.errors import NotFoundError, PermissionDeniedError
from server.common.roles import Roles
from server.features.organizations.errors import LastOwnerError, MemberNotFoundError
from server.features.organizations.models import Membership
from server.features.organizations.repository import MembershipRepository, OrganizationRepository
from server.features.organizations.roles import OWNER, permissions_of, require_grantable


async def find_to_change(
    organization_id: UUID, user_id: UUID, call: Call, roles: Roles
) -> Membership:
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
    held = await permissions_now(organization_id, call, roles)
    member = await MembershipRepository(call.db).find(organization_id, user_id)
    if member is None:
        raise MemberNotFoundError
    call.expect(member.version)
    if not call.acts_as(user_id) and call.method.permission not in held:
        raise PermissionDeniedError(permission=call.method.permission)
    require_grantable(roles, member.role, held)
    return member


async def permissions_now(organization_id: UUID, call: Call, roles: Roles) -> frozenset[str]:
    """The caller's permissions once the organization is locked.

    Those that the call came in with may have been taken while it waited for the lock.

    Raises:
        NotFoundError: if the caller is no member any more.
    """
    if not call.principal.is_person:
        return call.permissions(organization_id)
    caller = await MembershipRepository(call.db).find(organization_id, call.user_id)
    if caller is None:
        raise NotFoundError
    return call.within_scopes(permissions_of(roles, caller.role))


async def find_own(organization_id: UUID, call: Call) -> Membership:
    """The caller's own part in an organization, which is locked.

    Raises:
        NotFoundError: if the organization does not exist for the caller.
    """
    if not await OrganizationRepository(call.db).lock(organization_id):
        raise NotFoundError
    member = await MembershipRepository(call.db).find(organization_id, call.user_id)
    if member is None:
        raise NotFoundError
    return member


async def require_other_owner(member: Membership, call: Call) -> None:
    """Lets an owner go only if another one who can act stays. The organization is locked.

    Raises:
        LastOwnerError: if it is the last one.
    """
    if member.role != OWNER:
        return
    owners = MembershipRepository(call.db)
    if not await owners.has_acting_owner(member.organization_id, besides=member.user_id):
        raise LastOwnerError
