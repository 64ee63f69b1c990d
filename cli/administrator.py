"""`portico administrator EMAIL`: appoints an administrator, for there must be a first one."""

from __future__ import annotations

import asyncio
import os

import psycopg

from cli.run.errors import RunError
from cli.run.plan import embedded_postgres
from cli.run.settings import read_settings
from server.features.users.administrators import appoint


def main(email: str) -> None:
    """Appoints the person with this address.

    Raises:
        RunError: if nobody has registered with it, or the database does not answer.
    """
    settings = read_settings(os.environ)
    url = settings.database_url or embedded_postgres(settings).url
    try:
        appointed = asyncio.run(appoint(url, email))
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        raise RunError(
            f"the database does not answer ({reason}): is the platform running?"
        ) from None
    if not appointed:
        raise RunError(f"nobody has registered with {email}")
    print(f"{email} is an administrator now.")
