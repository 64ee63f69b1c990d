"""`portico migrate`: brings the database to the newest revision."""

from __future__ import annotations

import os

from sqlalchemy.exc import OperationalError

from cli.run.errors import RunError
from portico_kit.settings import database_url
from server.migrations import upgrade


def main() -> None:
    """Migrates the database that PORTICO_DATABASE_URL names.

    Raises:
        RunError: if it is not named or does not answer.
    """
    url = os.environ.get("PORTICO_DATABASE_URL")
    if not url:
        raise RunError("set PORTICO_DATABASE_URL to the database to migrate")
    try:
        upgrade(database_url(url))
    except ValueError as error:
        raise RunError(f"PORTICO_DATABASE_URL: {error}") from None
    except OperationalError as error:
        reason = " ".join(str(error.orig).split())
        raise RunError(
            f"the database does not answer ({reason}): check PORTICO_DATABASE_URL"
        ) from None
