"""Events: the methods for callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from portico.events.v1 import event_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.clock import requested_moment
from portico_kit.edge_state.event_feed import EventWatcher
from portico_kit.errors import NotFoundError
from portico_kit.ids import parse_id
from portico_kit.paging import Cursors
from server.common.times import KEPT
from server.features.events import messages
from server.features.events.feed import EventFeed
from server.features.events.places import StreamPlaces
from server.features.events.repository import EventRepository
from server.features.events.saving import save_cursor
from server.features.events.selection import CurrentSelection, select_readable
from server.features.events.starts import Starts
from server.features.organizations.facade import Tenants
from server.features.webhooks.event_types import EventTypes

# A stream without events says how far it has come this often.
PROGRESS_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class EventService:
    """Serves portico.events.v1.EventService."""

    cursors: Cursors
    event_types: EventTypes
    feed: EventFeed
    starts: Starts
    watcher: EventWatcher
    places: StreamPlaces
    tenants: Tenants

    async def ListEvents(self, request: pb.ListEventsRequest, call: Call) -> pb.ListEventsResponse:
        organization_id = parse_id(request.organization_id)
        paging = self.cursors.paging(request)
        shown = select_readable(request.types, organization_id, self.event_types, call)
        since = call.now - KEPT
        if (wanted := requested_moment(request, "since")) is not None:
            since = max(since, wanted)
        page = await EventRepository(call.db).list(
            organization_id,
            types=sorted(shown.types),
            after=int(request.after or 0),
            since=since,
            oldest_first=request.order == "oldest",
            paging=paging,
            cursors=self.cursors,
        )
        return pb.ListEventsResponse(
            events=[messages.event(row) for row in page.rows],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def StreamEvents(
        self, request: pb.StreamEventsRequest, call: Call
    ) -> AsyncGenerator[pb.StreamEventsResponse, None]:
        organization_id = parse_id(request.organization_id)
        shown = CurrentSelection(request.types, organization_id, self.event_types, call)
        start = await self.starts.find(request, organization_id, call)
        tier = (await self.tenants.tiers([organization_id])).get(organization_id)
        if tier is None:
            raise NotFoundError
        news = asyncio.Event()
        with (
            self.places.taken(organization_id, tier),
            self.watcher.watching(str(organization_id), lambda _: news.set()),
        ):
            position = said = start.position
            if start.reset:
                yield pb.StreamEventsResponse(position=str(position), reset=True)
            while True:
                news.clear()
                for event in (await self.feed.read(organization_id, position)).events:
                    if event.sequence != position + 1:
                        yield pb.StreamEventsResponse(position=str(event.sequence - 1), reset=True)
                    position = event.sequence
                    if shown.takes(event.type):
                        said = position
                        yield messages.streamed(event)
                    news.set()
                if not await _comes(news) and position != said:
                    said = position
                    yield pb.StreamEventsResponse(position=str(position))

    async def SaveEventCursor(
        self, request: pb.SaveEventCursorRequest, call: Call
    ) -> pb.SaveEventCursorResponse:
        organization_id, position = parse_id(request.organization_id), int(request.position)
        saved_at = await save_cursor(
            call.db, self.feed, organization_id, call.principal, request.name, position
        )
        return pb.SaveEventCursorResponse(cursor=messages.cursor(request.name, position, saved_at))


async def _comes(news: asyncio.Event) -> bool:
    """Whether something is new before it is time to say how far the stream has come."""
    try:
        async with asyncio.timeout(PROGRESS_SECONDS):
            await news.wait()
    except TimeoutError:
        return False
    return True
