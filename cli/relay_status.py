"""`portico relay status`: how far each bus is behind."""

from __future__ import annotations

import asyncio
import os

import psycopg

from cli.run.errors import RunError
from cli.run.plan import embedded_postgres
from cli.run.settings import read_settings
from server.features.relay.event_log import Wanted
from server.features.relay.status import status


def main() -> int:
    """Prints a line for each bus.

    Returns:
        0, or 1 if nobody relays to one of them.

    Raises:
        RunError: if the database does not answer.
    """
    settings = read_settings(os.environ)
    url = settings.database_url or embedded_postgres(settings).url
    try:
        buses = asyncio.run(status(url, Wanted()))
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        raise RunError(
            f"the database does not answer ({reason}): is the platform running?"
        ) from None
    for bus in buses:
        print(bus.line)
    if not buses:
        print("Nothing was relayed yet: see docs/event-bus.md")
    return int(not all(bus.relayed for bus in buses))
