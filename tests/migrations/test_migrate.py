"""`portico migrate`, as whoever deploys runs it: all of it or nothing, and a line that says why."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest
from sqlalchemy import Connection

from cli.migrate import main
from cli.run.errors import RunError
from portico_kit.start import StartError
from portico_kit.testing.waiting import wait_until
from server.app import ROLES
from server.migrations import upgrade
from tests.migrations.test_revisions import differences, history
from tests.migrations.test_upgrade_from_0_1_0 import content


def migrate(url: str) -> subprocess.Popen[str]:
    """The command, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "migrate"],
        env={"PORTICO_DATABASE_URL": url},
        stderr=subprocess.PIPE,
        text=True,
    )


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


def is_kept_waiting(url: str) -> bool:
    """Whether somebody waits for a lock in the database."""
    with psycopg.connect(url) as connection:
        waiting = connection.execute(
            "select exists (select from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock')"
        ).fetchone()
    return waiting == (True,)


def refusal(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The line that says why a migration is refused; it has changed nothing."""
    before = content(url)
    monkeypatch.setenv("PORTICO_DATABASE_URL", url)
    with pytest.raises(RunError) as caught:
        main()
    assert content(url) == before
    [line] = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize("database", ["empty_database", "old_database"])
def test_two_that_migrate_at_once_do_it_once(database: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(database)
    both = [migrate(url), migrate(url)]
    assert [process.communicate()[1] for process in both] == ["", ""]
    assert [process.returncode for process in both] == [0, 0]
    assert differences(url) == []
    assert {name for (name,) in content(url)["roles"]} == set(ROLES)


def test_a_role_that_is_new_in_the_code_reaches_an_upgraded_database(database_url: str) -> None:
    execute(database_url, "delete from roles where name = 'viewer'")
    upgrade(database_url)
    assert {name for (name,) in content(database_url)["roles"]} == set(ROLES)


def test_a_role_that_is_gone_from_the_code_and_held_by_a_member_stops_the_migration(
    old_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(old_database, "insert into roles values ('emperor')")
    execute(old_database, "update memberships set role = 'emperor' where role = 'viewer'")
    line = refusal(old_database, monkeypatch)
    assert '"emperor" is gone from the code' in line
    assert "members (1)" in line
    assert content(old_database)["alembic_version"] == [("0005",)]


def test_a_role_that_is_given_while_it_is_removed_stops_the_migration(old_database: str) -> None:
    execute(old_database, "insert into roles values ('emperor')")
    with psycopg.connect(old_database) as older:
        older.execute("update memberships set role = 'emperor' where role = 'viewer'")
        process = migrate(old_database)
        wait_until(lambda: is_kept_waiting(old_database), 20)
    assert '"emperor" is gone from the code, but members (1)' in process.communicate()[1]
    assert process.returncode == 1
    assert content(old_database)["alembic_version"] == [("0005",)]


def test_a_table_that_stays_in_use_stops_the_migration_and_not_the_calls_behind_it(
    old_database: str,
) -> None:
    before = content(old_database)
    with psycopg.connect(old_database) as dump:
        dump.execute("lock table api_keys in access share mode")
        process = migrate(old_database)
        wait_until(lambda: is_kept_waiting(old_database), 20)
        with psycopg.connect(old_database, options="-c statement_timeout=10s") as call:
            call.execute("select id from api_keys limit 1")
        line = process.communicate()[1]
    assert "the database is in use" in line
    assert process.returncode == 1
    assert content(old_database) == before


def test_an_older_version_says_that_a_newer_one_has_migrated_the_database(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database_url, "update alembic_version set version_num = '2999_01_01_0000'")
    line = refusal(database_url, monkeypatch)
    assert "2999_01_01_0000" in line
    assert "newer version" in line


def test_what_the_database_refuses_is_said_in_a_line(
    old_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Somebody has added a column that a revision adds.
    execute(old_database, "alter table webhooks add column sealed_previous_secret bytea")
    line = refusal(old_database, monkeypatch)
    assert '"sealed_previous_secret" of relation "webhooks" already exists' in line


def test_a_step_that_fails_takes_the_revisions_back(old_database: str) -> None:
    def fail(_connection: Connection) -> None:
        raise StartError("no")

    before = content(old_database)
    with pytest.raises(StartError):
        upgrade(old_database, sync_steps=[fail])
    assert content(old_database) == before


def test_steps_run_each_time_and_after_the_newest_revision(empty_database: str) -> None:
    seen: list[str | None] = []

    def note(connection: Connection) -> None:
        seen.append(connection.exec_driver_sql("select version_num from alembic_version").scalar())

    newest = history()[-1].revision
    for _ in range(2):
        upgrade(empty_database, sync_steps=[note])
    assert seen == [newest, newest]


def test_an_older_revision_is_not_held_against_the_code_of_today(empty_database: str) -> None:
    def fail(_connection: Connection) -> None:
        raise AssertionError("the tables of today are not there")

    upgrade(empty_database, "0005", sync_steps=[fail])
    assert content(empty_database)["alembic_version"] == [("0005",)]
