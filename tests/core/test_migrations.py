"""The database's history and the models tell the same story, forwards and backwards."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine, inspect, select

from server.app import ROLES
from server.migrations import downgrade, upgrade
from server.migrations.models import metadata
from tests.stack import PostgresServer


@pytest.fixture
def empty_database(postgres: PostgresServer) -> Iterator[str]:
    """A database without any table."""
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(sql.SQL("create database {}").format(sql.Identifier("empty")))
        yield postgres.url.replace("/postgres?", "/empty?")
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier("empty")))


def sync(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def test_the_newest_revision_is_what_the_models_say(database_url: str) -> None:
    engine = create_engine(sync(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_every_step_can_be_taken_back_and_again(empty_database: str) -> None:
    upgrade(empty_database)
    downgrade(empty_database, "base")
    engine = create_engine(sync(empty_database))
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    engine.dispose()
    upgrade(empty_database)


def test_a_second_start_migrates_nothing_and_harms_nothing(database_url: str) -> None:
    upgrade(database_url)


def test_the_tables_of_roles_hold_what_the_rules_say(database_url: str) -> None:
    engine = create_engine(sync(database_url))
    table = metadata.tables["role_permissions"]
    with engine.connect() as connection:
        found = {tuple(row) for row in connection.execute(select(table))}
    engine.dispose()
    assert found == {(role, held) for role, permissions in ROLES.items() for held in permissions}


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_constraint_has_a_name_that_can_be_told(table: object) -> None:
    assert all(constraint.name for constraint in table.constraints)  # type: ignore[attr-defined]
