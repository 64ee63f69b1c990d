"""The roles in the database agree with the rules, which decide."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text

from portico_contract import organization_permissions
from server.app import ROLES
from server.features.organizations.seed import seed
from tests.stack import PostgresServer

PAIRS = {(role, permission) for role, held in ROLES.items() for permission in held}


@pytest.fixture
def connection(postgres: PostgresServer) -> Iterator[Connection]:
    """A connection to a migrated database of its own."""
    with postgres.fresh_database() as url:
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
        with engine.connect() as connection:
            yield connection
        engine.dispose()


def stored(connection: Connection) -> set[tuple[str, str]]:
    rows = connection.execute(text("select role, permission from role_permissions"))
    return {(role, permission) for role, permission in rows}


def test_roles_allow_what_the_contract_asks_for_and_nothing_else() -> None:
    assert ROLES["owner"] == organization_permissions()
    assert all(held <= ROLES["owner"] for held in ROLES.values())


def test_after_the_migration_the_tables_hold_the_rules(connection: Connection) -> None:
    assert stored(connection) == PAIRS


def test_seeding_again_changes_nothing(connection: Connection) -> None:
    seed(connection, ROLES)
    seed(connection, ROLES)
    assert stored(connection) == PAIRS


def test_seeding_brings_the_tables_back_to_the_rules(connection: Connection) -> None:
    connection.execute(text("delete from role_permissions where role = 'viewer'"))
    connection.execute(text("insert into roles values ('emperor')"))
    connection.execute(text("insert into permissions values ('everything:write')"))
    connection.execute(text("insert into role_permissions values ('emperor', 'everything:write')"))
    seed(connection, ROLES)
    assert stored(connection) == PAIRS
    names = connection.execute(text("select name from roles")).scalars()
    assert set(names) == set(ROLES)
