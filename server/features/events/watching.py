"""How the core's own streams learn that there are new events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from redis.asyncio import Redis

from portico_kit.edge_state.event_feed import EventWatcher
from portico_kit.ids import parse_id
from server.features.events.feed import EventFeed


def watch_database(redis: Redis, feed: EventFeed) -> EventWatcher:
    """A watcher that looks into the database itself."""

    async def positions(organizations: Sequence[str]) -> Mapping[str, int]:
        found = await feed.last_numbers([parse_id(one) for one in organizations])
        return {str(organization_id): last for organization_id, last in found.items()}

    return EventWatcher(redis, positions)
