"""Clients that do not read: their streams end, so that nothing is kept for them."""

from __future__ import annotations

import asyncio

from edge.stream.refusals import SLOW_CONSUMER
from edge.stream.site import Site

# So long a client may leave what was written unread, in seconds.
UNREAD_SECONDS = 30.0
LOOK_SECONDS = 1.0


async def end_slow_forever(site: Site) -> None:
    """Ends the streams of clients that have read nothing for too long, until it is cancelled."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        latest = asyncio.get_running_loop().time() - UNREAD_SECONDS
        for connection in tuple(site.paused):
            if connection.paused_at <= latest:
                connection.end_slow(SLOW_CONSUMER)
