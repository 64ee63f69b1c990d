"""Filters in requests: what is refused of them, and what they would let through."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from portico.webhooks.v1 import webhook_service_pb2 as pb

from portico_kit.errors import FieldViolation, InvalidRequestError
from portico_kit.structs import struct_members
from server.common.records import Event
from server.features.webhooks import messages
from server.features.webhooks.filters import Filter, FilterError, compile_filter
from server.features.webhooks.models import subscribes
from server.features.webhooks.payload import event_json

Request = pb.CreateWebhookRequest | pb.UpdateWebhookRequest | pb.PreviewFilterRequest


def stored_filter(request: Request) -> dict[str, Any] | None:
    """The filter of a request as a webhook keeps it; None if there is none, or an empty one."""
    return struct_members(request.filter) or None


def require_filter(request: Request) -> Filter | None:
    """The filter of a request, compiled; None if there is none.

    Raises:
        InvalidRequestError: naming each mistake by its path in the filter.
    """
    pattern = stored_filter(request)
    if pattern is None:
        return None
    try:
        return compile_filter(pattern)
    except FilterError as error:
        violations = tuple(
            FieldViolation(f"filter.{one.path}".rstrip("."), "FILTER_INVALID", one.description)
            for one in error.problems
        )
        raise InvalidRequestError(violations=violations) from None


def preview(
    events: Sequence[Event], event_types: Collection[str], passes: Filter | None
) -> pb.PreviewFilterResponse:
    """Which of some events would be sent, and what keeps the others."""
    shown = [
        messages.filtered_event(event, _mismatch(event, event_types, passes)) for event in events
    ]
    return pb.PreviewFilterResponse(events=shown, sent_count=sum(one.sent for one in shown))


def _mismatch(event: Event, event_types: Collection[str], passes: Filter | None) -> str:
    if not subscribes(event_types, event):
        return "event_types"
    path = passes.mismatch(event_json(event)) if passes is not None else ""
    return f"filter.{path}" if path else ""
