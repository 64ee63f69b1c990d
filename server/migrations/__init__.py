"""The database's history: `upgrade` brings any older state to the newest.

Alembic is imported by whoever migrates; workers come here only for the tables.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent


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


def upgrade(url: str, revision: str = "head") -> None:
    """Brings the database to a revision, the newest unless one is named."""
    from alembic import command

    command.upgrade(config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Takes the database back to a revision; "base" is the empty one."""
    from alembic import command

    command.downgrade(config(url), revision)
