"""Events: what happened in an organization, as a list and as a stream that loses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.common.roles import Role
from server.feature import Feature, Served, Tables

if TYPE_CHECKING:
    from server.parts import CoreParts


def _tables() -> Tables:
    from server.features.events.cleanup import delete_cursors
    from server.features.events.models import EventCursor

    return Tables(models=(EventCursor,), cleanup={"event_cursors": delete_cursors})


def _serve(parts: CoreParts) -> Served:
    from portico.events.v1.event_feed_service_pb2 import DESCRIPTOR as FEED
    from portico.events.v1.event_service_pb2 import DESCRIPTOR

    from portico_contract import event_permissions, platform_event_permissions
    from portico_kit.service import Service
    from server.features.events.feed import EventFeed
    from server.features.events.feed_service import EventFeedService
    from server.features.events.places import StreamPlaces
    from server.features.events.ports import Subscribers
    from server.features.events.service import EventService
    from server.features.events.starts import Starts
    from server.features.events.tickets import Tickets
    from server.features.events.watching import watch_database
    from server.features.organizations.facade import Tenants
    from server.features.webhooks.event_types import EventTypes

    event_types = EventTypes(
        parts.event_descriptions,
        event_permissions(),
        platform_event_permissions(),
        parts.settings.operator_organization,
    )
    feed = EventFeed(parts.reads, parts.clock)
    starts, tenants = Starts(feed), parts.get(Tenants)
    watcher = watch_database(parts.redis, feed)
    service = EventService(
        cursors=parts.cursors,
        event_types=event_types,
        feed=feed,
        starts=starts,
        watcher=watcher,
        places=StreamPlaces(),
        tenants=tenants,
    )
    for_edge = EventFeedService(
        subscribers=parts.get(Subscribers),
        event_types=event_types,
        feed=feed,
        starts=starts,
        tickets=Tickets(parts.secrets),
        tenants=tenants,
    )
    return Served(
        services=(
            Service(DESCRIPTOR.services_by_name["EventService"], service),
            Service(FEED.services_by_name["EventFeedService"], for_edge),
        ),
    )


FEATURE = Feature(
    name="events",
    permissions={"events:read": Role.VIEWER},
    tables=_tables,
    serve=_serve,
)
