"""The roles of an organization. The features say what each may do, permission by permission."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """The roles, the least first: each may do all that the ones before it may."""

    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"


Roles = Mapping[str, frozenset[str]]


def roles(least: Mapping[str, Role]) -> Roles:
    """The permissions of each role.

    Args:
        least: each permission with the least role that has it.
    """
    order = list(Role)
    return {
        role.value: frozenset(
            permission
            for permission, needed in least.items()
            if order.index(needed) <= order.index(role)
        )
        for role in Role
    }
