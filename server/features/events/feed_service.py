"""Events: the methods for the process that writes streams over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from portico.events.v1 import event_feed_service_pb2 as pb
from portico.events.v1.event_service_pb2 import StreamEventsRequest

from portico_kit.call import Call, Client
from portico_kit.errors import DomainError, NotFoundError
from portico_kit.ids import parse_id
from server.features.events import messages
from server.features.events.feed import EventFeed, Range
from server.features.events.places import MAX_STREAMS
from server.features.events.ports import Subscribers
from server.features.events.saving import save_cursor
from server.features.events.selection import select_readable
from server.features.events.starts import Starts
from server.features.events.tickets import Ticket, Tickets
from server.features.organizations.facade import Tenants
from server.features.webhooks.event_types import EventTypes

# Of events in one answer, well below what a message may have.
PAYLOAD_BYTES = 2 * 1024 * 1024
# Who is looked up at once: the loop has other work, too.
CHECKED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class EventFeedService:
    """Serves portico.events.v1.EventFeedService."""

    subscribers: Subscribers
    event_types: EventTypes
    feed: EventFeed
    starts: Starts
    tickets: Tickets
    tenants: Tenants

    async def AdmitSubscriber(
        self, request: pb.AdmitSubscriberRequest, call: Call
    ) -> pb.AdmitSubscriberResponse:
        stream, organization_id = request.stream, parse_id(request.stream.organization_id)
        admitted, claims, subjects = await self.subscribers.admit(
            *(stream, request.access_token, request.possession, call.client, call.request_id)
        )
        shown = select_readable(stream.types, organization_id, self.event_types, admitted)
        start = await self.starts.find(stream, organization_id, admitted)
        tier = (await self.tenants.tiers([organization_id])).get(organization_id)
        if tier is None:
            raise NotFoundError
        ticket = Ticket(
            claims, stream.organization_id, sorted(stream.types), admitted.client.address
        )
        call.authorized = True
        return pb.AdmitSubscriberResponse(
            ticket=self.tickets.write(ticket),
            types=sorted(shown.types),
            position=start.position,
            reset=start.reset,
            last=start.last,
            max_streams=MAX_STREAMS[tier],
            subjects=sorted(set(subjects)),
        )

    async def CheckSubscribers(
        self, request: pb.CheckSubscribersRequest, call: Call
    ) -> pb.CheckSubscribersResponse:
        decisions: list[pb.SubscriberDecision] = []
        for first in range(0, len(request.tickets), CHECKED_AT_ONCE):
            some = request.tickets[first : first + CHECKED_AT_ONCE]
            decisions += await asyncio.gather(*map(self._decide, some))
        return pb.CheckSubscribersResponse(decisions=decisions)

    async def ReadEvents(self, request: pb.ReadEventsRequest, call: Call) -> pb.ReadEventsResponse:
        ranges = [Range(parse_id(one.organization_id), one.after) for one in request.ranges]
        found = await self.feed.read_all(ranges)
        response, room = pb.ReadEventsResponse(), PAYLOAD_BYTES
        for (organization_id, _), (events, more) in found.items():
            page = response.pages.add(organization_id=str(organization_id), more=more)
            for event in events:
                fed = messages.fed(event)
                room -= len(fed.payload)
                # The first of each always goes along: who asks goes on after it.
                if room < 0 and page.events:
                    page.more = True
                    break
                page.events.append(fed)
        return response

    async def GetEventPositions(
        self, request: pb.GetEventPositionsRequest, call: Call
    ) -> pb.GetEventPositionsResponse:
        asked = [parse_id(one) for one in request.organization_ids]
        found = await self.feed.last_numbers(asked)
        return pb.GetEventPositionsResponse(positions=[found.get(one, 0) for one in asked])

    async def SaveSubscriberCursor(
        self, request: pb.SaveSubscriberCursorRequest, call: Call
    ) -> pb.SaveSubscriberCursorResponse:
        ticket = self.tickets.read(request.ticket)
        admitted = await self._readmit(ticket)
        await save_cursor(
            *(call.db, self.feed, parse_id(ticket.organization_id), admitted.principal),
            *(request.name, request.position),
        )
        return pb.SaveSubscriberCursorResponse()

    async def _decide(self, written: bytes) -> pb.SubscriberDecision:
        try:
            ticket = self.tickets.read(written)
            admitted = await self._readmit(ticket)
            organization_id = parse_id(ticket.organization_id)
            shown = select_readable(ticket.types, organization_id, self.event_types, admitted)
        except DomainError as error:
            return pb.SubscriberDecision(
                reason=error.reason, message=error.message, code=error.code
            )
        return pb.SubscriberDecision(types=sorted(shown.types))

    async def _readmit(self, ticket: Ticket) -> Call:
        stream = StreamEventsRequest(organization_id=ticket.organization_id, types=ticket.types)
        return await self.subscribers.readmit(stream, ticket.claims, Client(ticket.address))
