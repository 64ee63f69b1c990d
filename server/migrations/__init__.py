"""The database's history: `upgrade` brings any older state to what the code says now.

Alembic is imported by whoever migrates; workers come here only for the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

FOLDER = Path(__file__).parent
HEAD = "head"
# A revision is named by the minute in which it was drafted, in UTC, and its file sorts by it.
REVISION_FORMAT = "%Y_%m_%d_%H%M"

SyncStep = Callable[["Connection"], None]


def config(url: str) -> Config:
    """Alembic's configuration for a database.

    Args:
        url: the database, in libpq form.
    """
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(FOLDER))
    configuration.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    configuration.attributes["url"] = url
    return configuration


def upgrade(url: str, revision: str = HEAD, sync_steps: Sequence[SyncStep] | None = None) -> None:
    """Brings the database to a revision, the newest unless one is named.

    After the newest one the reference data is synchronized with the code, in the same
    transaction. An older revision may lack the tables of it.

    Args:
        sync_steps: what is synchronized; that of reference_data.py unless said otherwise.

    Raises:
        StartError: if it cannot be done. Nothing is changed then.
    """
    from alembic import command

    from server.migrations.reference_data import SYNC_STEPS

    configuration = config(url)
    if revision == HEAD:
        configuration.attributes["sync_steps"] = SYNC_STEPS if sync_steps is None else sync_steps
    command.upgrade(configuration, revision)


def downgrade(url: str, revision: str) -> None:
    """Takes the database back to a revision; "base" is the empty one."""
    from alembic import command

    command.downgrade(config(url), revision)


def draft(
    configuration: Config, message: str, now: datetime, folder: Path = FOLDER / "versions"
) -> Path:
    """Writes a revision that brings the database to what the models say.

    Args:
        configuration: of a database at the newest revision; see `config`.
        message: what it does, in a few words; it becomes part of the file's name.
        now: the moment that names it, in UTC.
        folder: where it is written.

    Returns:
        The file, to be read and corrected before it is kept.
    """
    from alembic import command
    from alembic.script import Script

    script = command.revision(
        configuration,
        message,
        autogenerate=True,
        rev_id=now.strftime(REVISION_FORMAT),
        version_path=folder,
    )
    assert isinstance(script, Script)
    return Path(script.path)
