"""Where a stream starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from portico.events.v1 import event_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.clock import requested_moment
from portico_kit.errors import invalid
from server.common.times import KEPT
from server.features.events.feed import Bounds, EventFeed

NOW = "now"
LONGEST_POSITION = 18  # digits


class Start(NamedTuple):
    """Where a stream starts.

    Attributes:
        position: the number of the event after which it does.
        last: the number of the organization's last event.
        reset: whether others before it are not shown any more although they were asked for.
    """

    position: int
    last: int
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Starts:
    """Finds where streams start."""

    feed: EventFeed

    async def find(
        self, request: pb.StreamEventsRequest, organization_id: UUID, call: Call
    ) -> Start:
        """Where a stream starts: after its cursor, else where `after` or `since` says.

        Raises:
            InvalidRequestError: if `after` is no position, no time and not "now".
        """
        after = parse_after(request)
        if request.cursor:
            saved = await self.feed.saved_position(
                organization_id, call.principal.kind, call.principal.id, request.cursor
            )
            after = after if saved is None else saved
        bounds = await self.feed.bounds(organization_id)
        if after is None:
            return Start(bounds.last, bounds.last)
        if isinstance(after, datetime):
            return await self._since(organization_id, after, bounds, call.now)
        return start_after(after, bounds)

    async def _since(
        self, organization_id: UUID, since: datetime, bounds: Bounds, now: datetime
    ) -> Start:
        if since < now - KEPT:
            # An organization may have had no event before what is shown.
            return Start(bounds.hidden, bounds.last, reset=bounds.hidden > 0)
        first = await self.feed.first_since(organization_id, since)
        return Start(bounds.last if first is None else first - 1, bounds.last)


def start_after(position: int, bounds: Bounds) -> Start:
    """Where a stream goes on after a position.

    One beyond the last event was given out by a database that has lost it since.
    """
    if position > bounds.last:
        return Start(bounds.last, bounds.last, reset=True)
    if position < bounds.hidden:
        return Start(bounds.hidden, bounds.last, reset=True)
    return Start(position, bounds.last)


def parse_after(request: pb.StreamEventsRequest) -> int | datetime | None:
    """What `after` and `since` say: a position, a moment, or None for now.

    Raises:
        InvalidRequestError: if they say nothing of these.
    """
    text = request.after
    if text == NOW:
        return None
    if not text:
        return requested_moment(request, "since")
    if text.isascii() and text.isdigit() and len(text) <= LONGEST_POSITION:
        return int(text)
    try:
        # A space is what a URL makes of "+".
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else "")
        if found.tzinfo is not None:
            found = found.astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None or found.tzinfo is None:
        raise invalid("after", "INVALID_POSITION", 'must be a position, an RFC 3339 time or "now"')
    return found
