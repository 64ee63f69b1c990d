"""The database's history and the models tell the same story, forwards and backwards."""

from __future__ import annotations

import ast
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import create_engine, inspect

from server.migrations import FOLDER, config, downgrade, draft, upgrade
from server.migrations.models import metadata

REVISIONS = sorted((FOLDER / "versions").glob("*.py"))
DATED = re.compile(r"20\d\d_[01]\d_[0-3]\d_[0-2]\d[0-5]\d_[a-z0-9_]+\.py")
# The first eight were numbered; databases out there name them.
NUMBERED = [f"{number:04}" for number in range(1, 9)]
ALLOWED_IMPORTS = {*sys.stdlib_module_names, "alembic", "sqlalchemy"} - {"importlib", "runpy"}


def sync(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def differences(url: str) -> list[object]:
    """What Alembic would change to bring the database to what the models say."""
    engine = create_engine(sync(url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: list[object] = compare_metadata(context, metadata)
    engine.dispose()
    return found


def tables(url: str) -> set[str]:
    engine = create_engine(sync(url))
    names = set(inspect(engine).get_table_names()) - {"alembic_version"}
    engine.dispose()
    return names


def history() -> list[Script]:
    """The revisions, oldest first."""
    return list(ScriptDirectory.from_config(config("")).walk_revisions())[::-1]


def foreign_imports(source: str) -> set[str]:
    """What a revision imports that may change after it was written: anything but libraries."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                found |= {alias.name.split(".")[0] for alias in node.names}
            case ast.ImportFrom():
                found.add("." if node.level else str(node.module).split(".")[0])
            case ast.Name(id="__import__" | "eval" | "exec"):
                found.add(node.id)
    return found - ALLOWED_IMPORTS


def test_the_newest_revision_is_what_the_models_say(database_url: str) -> None:
    assert differences(database_url) == []


def test_every_step_can_be_taken_back_and_again(empty_database: str) -> None:
    upgrade(empty_database)
    downgrade(empty_database, "base")
    assert tables(empty_database) == set()
    upgrade(empty_database)
    assert differences(empty_database) == []


def test_each_step_can_be_taken_alone_forwards_and_backwards(empty_database: str) -> None:
    before = ["base", *(script.revision for script in history())]
    left: list[set[str]] = []
    for script in history():
        left.append(tables(empty_database))
        upgrade(empty_database, script.revision)
        downgrade(empty_database, before[len(left) - 1])
        assert tables(empty_database) == left[-1]
        upgrade(empty_database, script.revision)
    for revision, there in zip(before[-2::-1], left[::-1], strict=True):
        downgrade(empty_database, revision)
        assert tables(empty_database) == there


def test_a_second_start_migrates_nothing_and_harms_nothing(database_url: str) -> None:
    upgrade(database_url)
    assert differences(database_url) == []


def test_every_constraint_has_a_name_that_can_be_told() -> None:
    nameless = [
        table.name
        for table in metadata.sorted_tables
        for constraint in table.constraints
        if not constraint.name
    ]
    assert nameless == []


def test_a_revision_runs_no_code_that_can_change_after_it_was_written() -> None:
    found = {path.name: foreign_imports(path.read_text()) for path in REVISIONS}
    assert {name: imports for name, imports in found.items() if imports} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from server.app import ROLES", "server"),
        ("import portico_kit.storage.base as base", "portico_kit"),
        ("def upgrade():\n    from workers import tasks", "workers"),
        ("import edge.settings", "edge"),
        ("from . import other", "."),
        ("import importlib\nimportlib.import_module('server')", "importlib"),
        ("__import__('server')", "__import__"),
    ],
)
def test_a_revision_that_would_run_code_of_ours_is_found(source: str, found: str) -> None:
    assert foreign_imports(source) == {found}


def test_the_name_of_a_revision_begins_with_its_date() -> None:
    assert [path.name for path in REVISIONS if not DATED.fullmatch(path.name)] == []


def test_there_is_one_history_and_the_folder_shows_it_in_its_order() -> None:
    assert [Path(script.path) for script in history()] == REVISIONS
    assert len(ScriptDirectory.from_config(config("")).get_heads()) == 1


def test_the_revisions_of_older_databases_are_known_and_newer_ones_are_dated() -> None:
    revisions = [script.revision for script in history()]
    assert revisions[:8] == NUMBERED
    for script in history()[8:]:
        assert Path(script.path).name.startswith(f"{script.revision}_")


@pytest.fixture
def draft_folder(tmp_path: Path) -> Path:
    """A folder for drafts, instead of the one where revisions are kept."""
    folder = tmp_path / "versions"
    folder.mkdir()
    return folder


def test_a_draft_is_named_by_the_minute_it_was_made_in(
    database_url: str, draft_folder: Path
) -> None:
    configuration = config(database_url)
    configuration.set_main_option("version_locations", f"{FOLDER / 'versions'};{draft_folder}")
    configuration.set_main_option("path_separator", ";")
    now = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    path = draft(configuration, "Projects of an organization", now, draft_folder)
    assert path == draft_folder / "2031_02_03_0405_projects_of_an_organization.py"
    assert DATED.fullmatch(path.name)
    assert foreign_imports(path.read_text()) == set()
    assert 'revision = "2031_02_03_0405"' in path.read_text()
