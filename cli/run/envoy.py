"""Drains Envoy before it is stopped: SIGTERM alone would drop requests in flight."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from cli.run.probes import request

DRAIN_SECONDS = 5.0
POLL_SECONDS = 0.05


async def drain(admin: Path) -> None:
    """Stops accepting, then waits a bounded time for the requests in flight.

    Args:
        admin: the unix socket of Envoy's admin interface.
    """
    await asyncio.to_thread(request, admin, "POST", "/healthcheck/fail")
    await asyncio.to_thread(request, admin, "POST", "/drain_listeners?graceful")
    deadline = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < deadline:
        status, body = await asyncio.to_thread(request, admin, "GET", f"/stats?filter={FILTER}")
        if status != 200 or not any_active(body):
            return
        await asyncio.sleep(POLL_SECONDS)


FILTER = r"^http\..*\.downstream_rq_active$"


def any_active(stats: str) -> bool:
    """Whether a line of the form `name: value` counts a request, the admin's own aside."""
    counts = (line.rpartition(": ") for line in stats.splitlines())
    return any(value.strip() != "0" for name, _, value in counts if ".admin." not in name)
