"""Brings the table of roles to what the code says; each `migrate` does."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from portico_kit.start import StartError
from server.features.organizations.models import Invitation, Membership, Role


def sync_roles(connection: Connection, roles: Collection[str]) -> None:
    """Makes the table name these roles and no other. A second time it changes nothing.

    Args:
        roles: their names.

    Raises:
        StartError: if somebody has a role that is not among them.
    """
    rows = [{"name": role} for role in sorted(roles)]
    connection.execute(insert(Role).values(rows).on_conflict_do_nothing())
    removed = _lock_others(connection, roles)
    for role in removed:
        _require_unused(connection, role)
    connection.execute(delete(Role).where(Role.name.in_(removed)))


def _lock_others(connection: Connection, roles: Collection[str]) -> list[str]:
    """The roles that the code does not know. While they are locked, nobody can get them:
    not from an older process either, which knows them still."""
    others = select(Role.name).where(Role.name.not_in(roles)).order_by(Role.name)
    return list(connection.scalars(others.with_for_update()))


def _require_unused(connection: Connection, role: str) -> None:
    members, invitations = (
        connection.scalar(select(func.count()).where(model.role == role))
        for model in (Membership, Invitation)
    )
    if members or invitations:
        raise StartError(
            f'the role "{role}" is gone from the code, but members ({members}) or invitations '
            f"({invitations}) have it: the release that removes a role brings a revision that "
            "gives them another one; nothing has been changed"
        )
