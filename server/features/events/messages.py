"""Events and cursors as the contract shows them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from google.protobuf.struct_pb2 import Struct
from portico.events.v1 import event_feed_service_pb2 as feed_pb
from portico.events.v1 import event_pb2 as pb
from portico.events.v1 import event_service_pb2 as service_pb

from portico_kit.clock import timestamp
from server.common.records import Event
from server.features.events.feed import FeedEvent


def event(row: Event) -> pb.Event:
    """The message for a row that has its number."""
    assert row.sequence is not None
    return _event(row.id, row.sequence, row.type, row.organization_id, row.created_at, row.data)


def streamed(found: FeedEvent) -> service_pb.StreamEventsResponse:
    """The step of a stream that is an event."""
    shown = _event(
        *(found.id, found.sequence, found.type, found.organization_id, found.created_at),
        json.loads(found.data),
    )
    return service_pb.StreamEventsResponse(position=str(found.sequence), event=shown)


def fed(found: FeedEvent) -> feed_pb.StreamedEvent:
    """An event for the process that writes streams over HTTP."""
    return feed_pb.StreamedEvent(sequence=found.sequence, type=found.type, payload=found.payload)


def cursor(name: str, position: int, updated_at: datetime) -> service_pb.EventCursor:
    """The message for a cursor."""
    return service_pb.EventCursor(
        name=name, position=str(position), updated_at=timestamp(updated_at)
    )


def _event(
    event_id: UUID,
    sequence: int,
    event_type: str,
    organization_id: UUID,
    created_at: datetime,
    data: dict[str, Any],
) -> pb.Event:
    shown = Struct()
    shown.update(data)
    return pb.Event(
        id=str(event_id),
        sequence=sequence,
        type=event_type,
        organization_id=str(organization_id),
        created_at=timestamp(created_at),
        data=shown,
    )
