"""`portico migrate`: brings the database to what this version says."""

from __future__ import annotations

import os

from sqlalchemy.exc import DBAPIError, OperationalError

from cli.run.errors import RunError
from portico_kit.settings import database_url
from portico_kit.start import StartError
from server.migrations import upgrade

# SQLSTATEs: a lock that was not to be had in time, a deadlock.
IN_USE = frozenset({"55P03", "40P01"})


def main() -> None:
    """Migrates the database that PORTICO_DATABASE_URL names.

    Raises:
        RunError: if it is not named, does not answer, or cannot be migrated. Nothing is
            changed then.
    """
    url = os.environ.get("PORTICO_DATABASE_URL")
    if not url:
        raise RunError("set PORTICO_DATABASE_URL to the database to migrate")
    try:
        upgrade(database_url(url))
    except ValueError as error:
        raise RunError(f"PORTICO_DATABASE_URL: {error}") from None
    except StartError as error:
        raise RunError(str(error)) from None
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) in IN_USE:
            raise RunError(
                f"the database is in use ({_reason(error)}): nothing has been changed; end what "
                "holds its tables (a dump, a transaction that is left open) and try again"
            ) from None
        raise RunError(
            f"the database does not answer ({_reason(error)}): check PORTICO_DATABASE_URL"
        ) from None
    except DBAPIError as error:
        raise RunError(
            f"the database refuses the migration ({_reason(error)}): nothing has been changed"
        ) from None


def _reason(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split())
