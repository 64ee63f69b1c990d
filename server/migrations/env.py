"""Alembic's entry: runs the migrations on the database of the configuration."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine, text

from portico_kit.start import StartError
from server.migrations.models import metadata

# Two processes that start at once must not migrate at once.
LOCK = 7_104_921
# A change of a table waits for whoever uses it, and everybody else waits behind it: for no
# longer than callers of the processes that run would.
LOCK_TIMEOUT = "5s"


def run() -> None:
    """Migrates and synchronizes in one transaction, under a lock: all of it or nothing."""
    attributes = context.config.attributes
    engine = create_engine(attributes["url"].replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        with engine.connect() as connection:
            context.configure(connection=connection, target_metadata=metadata, compare_type=True)
            with context.begin_transaction():
                connection.execute(text(f"select pg_advisory_xact_lock({LOCK})"))
                connection.execute(text(f"set local lock_timeout = '{LOCK_TIMEOUT}'"))
                require_known_revision()
                context.run_migrations()
                synchronize(connection)
    finally:
        engine.dispose()


def require_known_revision() -> None:
    """Makes sure that this version's history contains what the database has been through.

    Raises:
        StartError: if it does not.
    """
    known = {script.revision for script in context.script.walk_revisions()}
    for revision in context.get_context().get_current_heads():
        if revision not in known:
            raise StartError(
                f"the database is at revision {revision}, which this version does not know: "
                "a newer version has migrated it, so run that one or a newer one"
            )


def synchronize(connection: Connection) -> None:
    """Brings the reference data to what the code says."""
    for step in context.config.attributes.get("sync_steps", ()):
        step(connection)


run()
