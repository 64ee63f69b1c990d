"""Alembic's entry: runs the migrations on the database of PORTICO_DATABASE_URL."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, text

from server.migrations.models import metadata

# Two processes that start at once must not migrate at once.
LOCK = 7_104_921


def run() -> None:
    """Migrates in one transaction, under a lock."""
    url = context.config.attributes["url"].replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, compare_type=True)
        with context.begin_transaction():
            connection.execute(text(f"select pg_advisory_xact_lock({LOCK})"))
            context.run_migrations()
    engine.dispose()


run()
