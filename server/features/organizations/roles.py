"""Who may grant which role. What a role may do is said by the features, see server/app.py."""

from __future__ import annotations

from server.common.roles import Role, Roles
from server.features.organizations.errors import RoleNotGrantableError

# As rows hold them.
OWNER = Role.OWNER.value
# Who is informed of what concerns the whole organization.
MANAGERS = (OWNER, Role.ADMIN.value)


def permissions_of(roles: Roles, role: str) -> frozenset[str]:
    """What a role allows.

    A role that is not known allows nothing: while a release is rolled out, the processes of
    the older one can meet a role of the newer.
    """
    return roles.get(role, frozenset())


def require_grantable(roles: Roles, role: str, held: frozenset[str]) -> None:
    """Lets a role be granted or taken only by those who may do all that it allows.

    Args:
        held: the caller's permissions in the organization.

    Raises:
        RoleNotGrantableError: if the role allows more.
    """
    if not _allows_no_more(roles, role, held):
        raise RoleNotGrantableError(role=role)


def may_invite(roles: Roles, role: str, held: frozenset[str]) -> bool:
    """Whether who holds these permissions may invite somebody to a role."""
    return _allows_no_more(roles, role, held) and "members:write" in held


def _allows_no_more(roles: Roles, role: str, held: frozenset[str]) -> bool:
    """Whether a role is known and allows nothing beyond these permissions."""
    return role in roles and roles[role] <= held
