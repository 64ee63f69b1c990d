"""Writes the roles and permissions of the features into their tables."""

from __future__ import annotations

from sqlalchemy import Connection, Table, delete, not_, tuple_
from sqlalchemy.dialects.postgresql import insert

from portico_kit.storage.base import Base
from server.common.roles import Roles

Rows = set[tuple[str, ...]]


def seed(connection: Connection, roles: Roles) -> None:
    """Makes the tables agree with the rules, whatever they hold before.

    Raises:
        sqlalchemy.exc.IntegrityError: if a role is gone from the rules that a member still has.
    """
    pairs = {(role, permission) for role, held in roles.items() for permission in held}
    named: dict[str, Rows] = {
        "roles": {(role,) for role in roles},
        "permissions": {(permission,) for _, permission in pairs},
        "role_permissions": {*pairs},
    }
    for table, rows in named.items():
        _add(connection, Base.metadata.tables[table], rows)
    # Backwards, for the pairs name what stands in the other two.
    for table, rows in reversed(named.items()):
        _drop_others(connection, Base.metadata.tables[table], rows)


def _add(connection: Connection, table: Table, rows: Rows) -> None:
    names = table.primary_key.columns.keys()
    values = [dict(zip(names, row, strict=True)) for row in sorted(rows)]
    connection.execute(insert(table).values(values).on_conflict_do_nothing())


def _drop_others(connection: Connection, table: Table, rows: Rows) -> None:
    kept = tuple_(*table.primary_key.columns).in_(sorted(rows))
    connection.execute(delete(table).where(not_(kept)))
